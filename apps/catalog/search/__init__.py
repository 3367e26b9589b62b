"""From a search text to PostgreSQL queries, from strict to tolerant.

No text raises: NUL bytes, half surrogates, unbalanced quotes and operators are accepted.

1. `reading`: the text becomes terms of folded words (`folding`), with quotes, `-` and `or`.
2. `queries`: each term by its stem and by its beginning, and what the staff says is the same
   (`synonyms`). An article number finds its product (`article_numbers`).
3. `correcting`, where that finds nothing: words corrected to similar ones of the catalog
   (`vocabulary`), and then any of the words. The page says for what it is shown.
"""

from apps.catalog.search.article_numbers import products_numbered
from apps.catalog.search.correcting import Instead, instead_of
from apps.catalog.search.folding import folded
from apps.catalog.search.own_name import without_own_name
from apps.catalog.search.queries import Query, query_for
from apps.catalog.search.reading import Alternatives, cleaned, read
from apps.catalog.search.synonyms import synonyms

__all__ = [
    "Alternatives",
    "Instead",
    "Query",
    "cleaned",
    "folded",
    "instead_of",
    "products_numbered",
    "query_for",
    "read",
    "synonyms",
    "without_own_name",
]
