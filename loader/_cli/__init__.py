"""What the commands share: command lines, standard streams, exit codes, a child process for plugins."""
