# The end of every managed run command, see run-command.head.sh. One command, read as a whole before it runs.
# shellcheck shell=bash
{
  run_step
  exit
}
