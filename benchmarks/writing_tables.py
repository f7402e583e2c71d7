"""The tables of what models write, and of what they know."""

from columns import Column, Table, beginning_with, hits, hits_interval, interval

_SENTIMENT = (Column("what", "what"), Column("texts", "texts", ",.0f"))


TABLES = {
    "fill": Table(
        results="fill",
        columns=(
            Column("length", "length"),
            Column("candidates", "candidates"),
            Column("ranked by", "ranking"),
            Column("gaps", "gaps", "g"),
            Column("true text among five", "hits", "g"),
            Column("share", hits, ".1%"),
            Column("95% interval", hits_interval),
            Column("seconds per gap", "seconds_per_gap", ".2f"),
        ),
    ),
    "constraints": Table(
        results="constraints",
        columns=(
            Column("text", "text"),
            Column("constraint", "constraint"),
            Column("texts", "texts", ",.0f"),
            Column("satisfied", "satisfied", ",.0f"),
            Column("bits/char", "bits_per_character", ".4f"),
            Column("characters", "characters", ".0f"),
            Column("seconds per text", "seconds", ".3f"),
        ),
    ),
    "export": Table(
        results="export",
        columns=(
            Column("text", "text"),
            Column("tokens", "tokens"),
            Column("vocabulary", "vocabulary", ",.0f"),
            Column("largest page, MB", "max_size_mb", "g"),
            Column("bytes", "bytes", ",.0f"),
            Column("n-grams", "ngrams", ",.0f"),
            Column("of", "ngrams_before", ",.0f"),
            Column("bits per character", "bits_per_character", ".4f"),
            Column("of the model", "bits_per_character_before", ".4f"),
            Column("loss", "loss", "z.1%"),
            Column("characters/s", "characters_per_second", ",.0f"),
        ),
    ),
    "sentiment_accuracy": Table(
        results="sentiment",
        select=beginning_with("IMDB", "Rotten Tomatoes", "classifier accuracy"),
        columns=(*_SENTIMENT, Column("accuracy", "figure", ".3f"), Column("95% interval", interval)),
    ),
    "sentiment_steered": Table(
        results="sentiment",
        select=beginning_with("classified as positive"),
        columns=(*_SENTIMENT, Column("share", "figure", ".3f"), Column("95% interval", interval)),
    ),
    "sentiment_bits": Table(
        results="sentiment",
        select=beginning_with("bits per"),
        columns=(Column("what", "what"), Column("bits", "figure", ".3f")),
    ),
    "sentiment_speed": Table(
        results="sentiment",
        select=beginning_with("documents per second", "one at a time"),
        columns=(*_SENTIMENT, Column("documents/s", "figure", ".1f")),
    ),
}
"""Every table of these by its name."""
