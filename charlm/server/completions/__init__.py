"""The completions API, as the `openai` client speaks it: /v1/completions and /v1/models."""
