"""Another name for `tools.stack`, so that commands documented before the move go on working."""
