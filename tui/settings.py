"""Settings as a person types them: "cross.fast=20, cross.slow=5:50:5"."""


class BadSettings(ValueError):
    """The text cannot be understood; says which part."""


def parse_settings(words: str) -> list[tuple[str, str]]:
    """KEY=VALUE pairs, separated by spaces or semicolons, or by a comma before the next KEY=.

    Raises BadSettings. A value may have commas of its own: "cross.fast=5,10,20 cross.slow=50".
    """
    pairs: list[tuple[str, str]] = []
    for part in words.replace(";", " ").split():
        for piece in part.split(","):
            key, equals, value = piece.partition("=")
            if equals and key and value:
                pairs.append((key, value))
            elif piece and not equals and pairs:
                pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{piece}")
            elif piece:
                raise BadSettings(f"settings: {piece!r} is not KEY=VALUE")
    return pairs
