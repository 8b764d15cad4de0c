"""What several subcommands share: options, tables, files, progress."""
