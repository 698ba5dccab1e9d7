# The end of each managed run command, see run-command.head.sh. One command, so bash reads it whole before it runs.
# shellcheck shell=bash
{
  run_step
  exit
}
