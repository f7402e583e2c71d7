"""What an argument that names no text and no model may be: an address, a path of Windows, or a misspelt name."""

import os
import re
import shlex

_ADDRESS = re.compile(r"(?:https?|ftp)://\S+|www\.\S+\.\S+", re.IGNORECASE)
_WINDOWS = re.compile(r"([A-Za-z]):(.*)", re.DOTALL)


def looks_like(argument: str) -> str | None:
    """What a name that isn't found looks like, and what to type instead; None for an ordinary name."""
    if _ADDRESS.fullmatch(argument):
        address = argument if "://" in argument else f"https://{argument}"
        return f"it looks like a web address; download it first, with curl -L -o text.txt {shlex.quote(address)}"
    if argument.lower().startswith("file://"):
        return f"it looks like a web address; give the path alone, {shlex.quote(argument[len('file://') :])}"
    if os.name != "nt" and (match := _WINDOWS.fullmatch(argument)):
        drive, path = match[1].lower(), match[2].replace("\\", "/")
        if path.startswith("/"):
            return (
                "it looks like a path of Windows, and this system's paths are of another form; in WSL it is "
                f"{shlex.quote(f'/mnt/{drive}{path}')}"
            )
        return (
            "it looks like a path of Windows without its backslashes, which the shell removed; in WSL a drive is "
            f"/mnt/{drive}/, and folders are separated by /"
        )
    return None
