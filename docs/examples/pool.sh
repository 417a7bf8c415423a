#!/bin/sh
# Run it: sh pool.sh 4    in the folder with the files, on each machine that has it, 4 jobs at once
# A pool of workers that compress logs. Give it work, whenever you like, and hear what it did:
#   find . -name '*.log' | mercury push archive
#   mercury sub archive
# Each name comes to one machine, in turn, and waits in the broker while there is none. What is
# published on archive and what is pushed to it never meet: they are two topics.
#
# mercury takes the place of this shell, so signals and the exit status are its own. Told to stop,
# it does the jobs that it has and no more, and says how many failed. A broker that went is waited
# for; one that does not want us (1008, 4xx) ends it, with the reason.
exec mercury pull archive --reconnect --parallel "${1:-2}" --exec '
  trap "" INT      # Ctrl-C is for mercury, which lets this job end
  file=$(cat)      # a job comes as standard input: it is never part of a command
  case /$file/ in  # whoever may connect may push, so only what is below this folder
    //* | */../*) echo "not below this folder: $file" >&2; exit 1 ;;
  esac
  gzip -9 -- "$file" || exit    # mercury says which job failed, and goes on
  mercury pub archive --reconnect --timeout 60 --message "$(uname -n) has made $file.gz"
'
