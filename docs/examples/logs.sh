#!/usr/bin/env bash
# Run it: bash logs.sh web1 app.log    on the server web1, and so on for the others
# Sends what is added to a log. At the top of the tree one hears all servers, below it one of them:
#   mercury sub logs
#   mercury sub logs/web1 | grep --line-buffered ERROR
# Nobody need listen, and one who is slow costs the servers nothing. Nothing is kept.
set -o nounset
server=$1 log=$2

# A message does not say on which topic it was published, so each line names its server.
# mercury takes the place of this shell, so signals and the exit status are its own, and $$ is its
# id: tail ends when it has ended. A broker that went is waited for, and the log with it. How many
# lines may have been lost when it went is said, and makes the exit status 4.
exec mercury pub "logs/$server" --reconnect < <(
  tail --lines=0 --follow=name --retry --pid=$$ "$log" | sed --unbuffered "s|^|$server: |"
)
