# The manual, the help and the completion say the same, for they come from the same tables.
load lib/cluster

setup() {
  new_project
  docs=$(dirname "$RIPCORD")/docs
  command -v scdoc >/dev/null || skip "scdoc is not installed"
}

commands() { "$RIPCORD" --help | sed -n '/^options/q; s/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p'; }
options() { grep -o -- '^ *\(-[a-z], \)\?--[a-z-]\+' | grep -o -- '--[a-z-]\+' | sort -u; }

@test "every command and option of the help is in the manual and in the completion" {
  [ "$(commands | wc -l)" -gt 20 ] || fail "the overview was not understood"
  while read -r name; do
    grep -q "^\.SS $name$" "$docs/ripcord.1" || fail "the manual lacks $name"
    # shellcheck disable=SC2086 # "backup list" is two words
    for option in $("$RIPCORD" $name --help | options); do
      plain=${option#--}
      sed 's/\\-/-/g; s/\\//g' "$docs/ripcord.1" | grep -q -- "$option" || fail "the manual lacks $option of $name"
      grep -q -- "$option" "$docs/ripcord.bash" || fail "bash lacks $option of $name"
      grep -q -- "$option" "$docs/_ripcord" || fail "zsh lacks $option of $name"
      grep -q -- "-l $plain" "$docs/ripcord.fish" || fail "fish lacks $option of $name"
    done
  done < <(commands)
}

@test "the manual has no option that the program has not" {
  known=$(commands | while read -r name; do
    # shellcheck disable=SC2086
    "$RIPCORD" $name --help | options
  done | sort -u)
  for option in $(sed 's/\\-/-/g; s/\\f.//g; s/\\//g' "$docs/ripcord.1" | grep -o -- '--[a-z][a-z-]*' | sort -u); do
    grep -qx -- "$option" <<<"$known" || fail "$option is in the manual only"
  done
}

@test "every key that init writes is in ripcord.ini(5)" {
  run_ripcord init
  keys=$(sed -n 's/^\([a-z_]*\) =.*/\1/p' ripcord.ini)
  [ "$(wc -w <<<"$keys")" -gt 15 ] || fail "too few keys"
  for key in $keys; do
    sed 's/\\f.//g; s/\\//g' "$docs/ripcord.ini.5" | grep -q "^$key\b" || fail "ripcord.ini(5) lacks $key"
  done
}

@test "bash completes commands, verbs and options" {
  complete_words() {
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ripcord; echo "${COMPREPLY[*]}"' \
      _ "$docs/ripcord.bash" "$@"
  }
  assert_same commands "upgrade" "$(complete_words ripcord up)"
  assert_same verbs "pin prune" "$(complete_words ripcord backup p)"
  assert_same options "--plan" "$(complete_words ripcord upgrade --p)"
  assert_same global "--env-file" "$(complete_words ripcord backup list --e)"
}
