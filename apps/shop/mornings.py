"""At which minute of the morning a shelf is needed. Shelves that are not listed have no hour."""

HOURS = {
    "lamps-candles": "6:20",
    "kettles-pots": "6:40",
    "coffee-tea": "6:55",
    "cups-mugs": "7:10",
    "textiles": "7:30",
    "breakfast-table": "7:45",
    "paper-desk": "8:15",
    "windowsill-garden": "9:00",
}


def hour_of(slug: str) -> str:
    return HOURS.get(slug, "")
