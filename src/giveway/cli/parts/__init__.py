"""Parts that several subcommands share: options, tables, files, progress."""
