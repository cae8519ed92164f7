"""Query parameters that a call does not know: a misspelt one must not be passed over."""

from collections.abc import Iterable

from fastapi import Request

from catalog.errors import InvalidRequest

_OURS = "/v1/"  # other protocols and probes are lenient


async def refuse_unknown_parameters(request: Request) -> None:
    """To be a dependency of every call.

    Raises:
        InvalidRequest: the query holds a parameter that the call has none of.
    """
    if request.scope["query_string"] and request.scope["path"].startswith(_OURS):
        known = request.scope["route"].dependant.query_params
        check_parameters(request, (field.alias for field in known))


def check_parameters(request: Request, known: Iterable[str]) -> None:
    """Refuse parameters of a request's query that are none of these.

    Raises:
        InvalidRequest: it holds another one.
    """
    names = sorted(known)
    for given in request.query_params:
        if given not in names:
            fix = f"It takes {', '.join(names)}." if names else "It takes none."
            raise InvalidRequest("the call takes no such parameter.", where=given[:100], fix=fix)
