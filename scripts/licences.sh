#!/usr/bin/env bash
# Writes docs/LICENCES.md: under which licence each module is that the programs are made
# of, as its licence file in the module cache says. One that it does not know is an error.
# With --check it writes nothing and fails if the file is not what it would write; with
# --texts it prints all licence files, for whoever passes on the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
list=docs/LICENCES.md
programs=(namesrv nsctl nsbench)

# licence names the licence of a text, by the sentences that make it that one.
licence() {
	local text
	text=$(tr -s '[:space:]' ' ' <"$1")
	case $text in
	*"GNU GENERAL PUBLIC"* | *"GNU LESSER"* | *"GNU AFFERO"* | *"Mozilla Public"* | *"Business Source"* | *"Server Side Public"* | *"Commons Clause"*) return 1 ;;
	*"Apache License Version 2.0"*) echo Apache-2.0 ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*"Redistribution and use in source and binary forms"*"either the name"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*"Permission to use, copy, modify, and"*"distribute this software for any purpose"*) echo ISC ;;
	*) return 1 ;;
	esac
}

# file_of returns the licence file of a module.
file_of() {
	local f
	for f in "$1"/LICENSE "$1"/LICENSE.txt "$1"/LICENSE.md "$1"/LICENCE "$1"/COPYING; do
		if [ -f "$f" ]; then
			echo "$f"
			return
		fi
	done
	return 1
}

# modules_of NAME PROGRAM... lists the modules of programs: path, folder, NAME.
modules_of() {
	local name=$1
	shift
	go list -mod=readonly -deps -f "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}} $name{{end}}{{end}}" "${@/#/./cmd/}"
}

if [ "${1:-}" = --texts ]; then # which say nothing of single programs
	modules=$(modules_of all "${programs[@]}" | sort -u)
else
	modules=$(for p in "${programs[@]}"; do modules_of "$p" "$p"; done | sort -u)
fi

made=$(mktemp)
trap 'rm -f "$made"' EXIT
{
	cat <<'HEAD'
# Licences

What the programs are made of, beside Go's own library (BSD-3-Clause). `make licences` writes this list; `make lint` fails if it is not
up to date, or if a module has a licence that `scripts/licences.sh` does not know. `scripts/licences.sh --texts` prints the texts, which
go with the programs wherever they are passed on.

| Module | Licence | In |
|---|---|---|
HEAD
	while read -r path dir; do
		if ! file=$(file_of "$dir") || ! name=$(licence "$file"); then
			echo "$path: its licence is not known; read $dir, and say in scripts/licences.sh what it is" >&2
			exit 1
		fi
		in=$(awk -v m="$path" '$1 == m { print $3 }' <<<"$modules" | paste -sd, | sed 's/,/, /g')
		printf '| `%s` | %s | %s |\n' "$path" "$name" "$in"
	done < <(cut -d' ' -f1,2 <<<"$modules" | sort -u)
} >"$made"

case ${1:-} in
--check) diff -u "$list" "$made" ;;
--texts)
	cut -d' ' -f1,2 <<<"$modules" | sort -u | while read -r path dir; do
		printf '==== %s\n\n' "$path"
		cat "$(file_of "$dir")"
		if [ -f "$dir/NOTICE" ]; then
			printf '\n---- NOTICE\n\n'
			cat "$dir/NOTICE"
		fi
		echo
	done
	;;
*) cp "$made" "$list" ;;
esac
