#!/bin/sh
# Runs a program for as long as standard input stays open, and not a moment longer than the grace period after that.
#
#   sh keeper.sh GRACE_SECONDS PROGRAM [ARGUMENT...]
#
# Standard input is a pipe that nobody writes to. It closes when the other side lets go of it, also when that side
# dies by SIGKILL; then the program gets SIGTERM and, after the grace period, SIGKILL. Standard output says two
# lines: the program's process id, and its exit status when it has ended. The program writes to standard error.
#
# Keeper and program share a process group of their own. Its id cannot be given to another process while one member
# lives, so a signal to "0", the own group, never hits a stranger.

unset SALES_LOCAL_KEEPER
grace=$1
shift

exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
# From here on SIGTERM is for the program alone, and that nobody reads standard output any more is no reason to end:
# whoever started this may be dead by now.
trap '' TERM PIPE
echo "$program" 2>/dev/null

(
    # `read` alone, since a program started here, like `cat`, would be one more process to clean up.
    while read -r _; do :; done
    kill -TERM 0
    sleep "$grace"
    # Still here, so the shell below still waits for the program, whose id is therefore still its own.
    kill -KILL "$program"
    sleep 1
    kill -KILL 0
) <&3 >&2 3<&- &
exec 3<&-

# Some shells announce on standard error that a signal ended the program; that is not the program's own word.
wait "$program" 2>/dev/null
echo "$?" 2>/dev/null
# Nothing of the group outlives the program: the subshell above, its `sleep`, and what the program left behind.
kill -KILL 0
