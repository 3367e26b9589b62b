"""Building blocks that know no app: every app may use them, none of them imports an app."""
