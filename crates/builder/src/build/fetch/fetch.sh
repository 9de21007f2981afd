# Fetches one commit, its submodules and its large files into /app.
#
# Everything that decides comes in the environment: CYGNI_URL, CYGNI_REFERENCE, CYGNI_COMMIT, CYGNI_SCOPE (what all
# addresses that may be given the credentials begin with), CYGNI_CACHE, CYGNI_LFS. git's own settings, credentials
# included, come as GIT_CONFIG_*. What is fetched decides nothing but which further addresses are asked, and those are
# checked. Repositories lie in the cache, bare, one for each address; /app gets files only.
#
# Ends with: 10 no git, 11 the commit is gone, 12 not fetched, 13 not checked out, 20 a submodule, 30 no git-lfs.
set -u

TARGET=/app
LEVELS_MAX=8
MODULES_MAX=200
errors=/tmp/errors

command -v git >/dev/null || exit 10

# The repository that keeps what was fetched from $1.
repository() {
  name=$(printf %s "$1" | git hash-object --stdin) || exit 12
  printf '%s/%s.git' "$CYGNI_CACHE" "$name"
}

# An empty one, whatever is there.
make() (
  made=$GIT_DIR
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
  rm -rf "$made"
  git init --quiet --bare --object-format=$format "$made"
)

holds() {
  git cat-file -e "$commit^{commit}" 2>/dev/null
}

# Fetches $2 with $1 commits below it.
take() {
  git fetch --quiet --no-tags --no-recurse-submodules --no-auto-maintenance --no-write-fetch-head \
    --depth="$1" "$url" "+$2:refs/cygni/$slot" 2>"$errors"
}

# Has $commit of $url in $GIT_DIR: by its name where the server does that, else from $reference, ever deeper.
obtain() {
  holds && return 0
  echo "Fetching $commit from $url"
  take 1 "$commit" && holds && return 0
  for depth in 1 64 2048; do
    take "$depth" "$reference" || { cat "$errors" >&2; return 12; }
    holds && return 0
  done
  return 11
}

# Files kept elsewhere are asked for where the commit's .lfsconfig says, or beside the repository.
check_out() {
  set --
  if [ "$CYGNI_LFS" = 1 ] && uses_lfs; then
    command -v git-lfs >/dev/null || exit 30
    store=$(git config --blob "$commit:.lfsconfig" --get lfs.url 2>/dev/null) || store=
    store=$(address "$url" "$store") || store=
    set -- -c "lfs.url=${store:-${url%.git}.git/info/lfs}" -c "filter.lfs.process=git-lfs filter-process" -c filter.lfs.required=true
  fi
  git -c core.bare=false "$@" read-tree --reset -u "$commit"
}

uses_lfs() {
  git grep --quiet -E 'filter=lfs' "$commit" -- ':(top,glob)**/.gitattributes' 2>/dev/null
}

# The address that $2, written in a repository from $1, is fetched from: relative ones and those for ssh become addresses
# of a server that speaks https. Fails for what is none.
address() {
  parent=${1%/} said=$2
  case $said in
    *[[:cntrl:]]* | '') return 1 ;;
    ./* | ../*)
      while :; do
        case $said in
          ./*) said=${said#./} ;;
          ../*) said=${said#../} parent=${parent%/*} ;;
          *) break ;;
        esac
      done
      said=$parent/$said
      ;;
  esac
  case $said in
    "$CYGNI_SCOPE"* | https://*) printf %s "$said"; return 0 ;;
    http://*) printf %s "https://${said#*://}"; return 0 ;;
    git://* | ssh://*) said=${said#*://} ;;
    *://* | /* | -* | *::*) return 1 ;;
    *@*:*) said=${said%%:*}/${said#*:} ;;
    *) return 1 ;;
  esac
  host=${said%%/*} path=${said#*/}
  host=${host##*@}
  # The forge's own, whatever port its ssh has.
  ours=${CYGNI_SCOPE#*://}
  ours=${ours%%/*}
  if [ "${host%%:*}" = "${ours%%:*}" ]; then
    printf %s "${CYGNI_SCOPE%%://*}://$ours/$path"
  else
    printf %s "https://${host%%:*}/$path"
  fi
}

# The setting $2 of the submodule at $1.
setting() {
  git config --blob "$commit:.gitmodules" --name-only --get-regexp '^submodule\..*\.path$' 2>/dev/null |
    while IFS= read -r key; do
      [ "$(git config --blob "$commit:.gitmodules" --get "$key")" = "$1" ] || continue
      git config --blob "$commit:.gitmodules" --get "${key%.path}.$2"
      break
    done
}

submodules() {
  git ls-files --stage | grep '^160000 ' | cut -d ' ' -f 2- | tr '\t' ' ' |
    while IFS=' ' read -r found _ path; do
      echo . >>/tmp/modules
      shown=${place#"$TARGET"}/$path
      said=$(setting "$path" url)
      [ "$(setting "$path" update)" = none ] && continue
      if [ -z "$said" ]; then
        echo "Submodule ${shown#/} has no address in .gitmodules and stays empty"
        continue
      fi
      echo "Submodule ${shown#/}"
      if [ "$(wc -l </tmp/modules)" -gt "$MODULES_MAX" ] || [ "$level" -ge "$LEVELS_MAX" ]; then
        echo "fatal: more than $MODULES_MAX submodules, or $LEVELS_MAX inside one another" >&2
        exit 20
      fi
      # A link on the way would lead out of the source.
      if [ "$(cd "$place/$path" && pwd -P)" != "$place/$path" ]; then
        echo "fatal: $path is no directory" >&2
        exit 20
      fi
      if ! from=$(address "$url" "$said"); then
        echo "fatal: the address $said is none that submodules are fetched from" >&2
        exit 20
      fi
      module "$from" HEAD "$found" "$place/$path" $((level + 1)) </dev/null
      case $? in
        0) ;;
        11) echo "fatal: commit $found is not in $from" >&2; exit 20 ;;
        30) exit 30 ;;
        *) exit 20 ;;
      esac
    done
}

# Puts $commit of $url into the directory $place. In a process of its own, so that its variables are.
module() (
  url=$1 reference=$2 commit=$3 place=$4 level=$5
  slot=$(printf %s "$reference" | git hash-object --stdin) || exit 12
  GIT_DIR=$(repository "$url") || exit 12
  GIT_WORK_TREE=$place
  GIT_INDEX_FILE=$(mktemp /tmp/index.XXXXXX) && rm "$GIT_INDEX_FILE"
  export GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
  format=sha1
  [ ${#commit} = 64 ] && format=sha256
  cd "$place" || exit 13
  for attempt in kept afresh; do
    [ $attempt = kept ] || rm -rf "$GIT_DIR"
    git rev-parse --git-dir >/dev/null 2>&1 || make || exit 12
    obtain || exit $?
    check_out && break
    # What was kept may be damaged.
    [ $attempt = kept ] || exit 13
  done
  submodules || exit $?
)

: >/tmp/modules
module "$CYGNI_URL" "$CYGNI_REFERENCE" "$CYGNI_COMMIT" "$TARGET" 0
