"""Faults in settings as one sentence: the setting, its value, and what is allowed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from trading.errors import SettingsError, suggestion
from trading.setting_types import shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_TYPES = {
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def settings_error(error: "ValidationError", raw: Mapping[str, Any], root: type[BaseModel]) -> SettingsError:
    """The first fault in words, unknown settings before others, and how many more there are."""
    details = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return SettingsError(_sentence(details[0], raw, root) + more)


def _sentence(detail: "ErrorDetails", raw: Mapping[str, Any], root: type[BaseModel]) -> str:
    where, kind = detail["loc"], detail["type"]
    value = "the value" if _is_secret(where) else shown(detail["input"])
    match kind:
        case "extra_forbidden":
            fault = f"unknown setting; {suggest_setting(where, root)}"
        case "missing":
            fault = "is missing"
        case "value_error":
            fault = str(detail["ctx"]["error"])
        case "literal_error":
            fault = f"{value} is not {detail['ctx']['expected']}"
        case _:
            fault = f"{value} is not {_TYPES[kind]}" if kind in _TYPES else detail["msg"]
    return f"{setting_name(where, raw)}: {fault}"


def _is_secret(where: Location) -> bool:
    return where[-1] in ("api_key", "api_secret")


def setting_name(where: Location, raw: Mapping[str, Any]) -> str:
    """A setting as users name it: `risk.stop_loss_percent`, `strategies.cross.weight`."""
    parts = [str(part) for part in where if part != "[key]"]
    match where:
        case ("strategies", int(index), *_):
            entry = raw["strategies"][index]
            name = entry.get("name") if isinstance(entry, Mapping) else None
            parts[1] = name if isinstance(name, str) else f"entry {index + 1}"
        case ("market", str(symbol), *_):
            parts[1] = f'"{symbol}"'
    return ".".join(parts)


def suggest_setting(where: Location, root: type[BaseModel]) -> str:
    """What an unknown setting was meant to be: this name in another section, or a like name here."""
    name = str(where[-1])
    elsewhere = [path for path in setting_paths(root) if path.endswith(f".{name}")]
    if elsewhere:
        return f"did you mean {elsewhere[0]!r}?"
    return suggestion(name, _section(where[:-1], root).model_fields)


def _section(where: Location, root: type[BaseModel]) -> type[BaseModel]:
    section = root
    for part in where:
        if isinstance(part, str) and part in section.model_fields:
            section = _model_in(section.model_fields[part].annotation) or section
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def setting_paths(root: type[BaseModel]) -> Iterator[str]:
    """All settings with a fixed place, such as `risk.stop_loss_percent`."""
    for section_name, field in root.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from (f"{section_name}.{name}" for name in annotation.model_fields)
