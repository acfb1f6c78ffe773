"""What the commands share: command lines, standard streams, exit codes, the child process that plugins run in."""
