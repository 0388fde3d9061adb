# code.awk - C as "file:line:code": comments are gone, strings and characters are empty.
FNR == 1 { in_comment = 0 }
{
	rest = $0
	code = ""
	while (rest != "") {
		if (in_comment) {
			if (!match(rest, /\*\//)) break
			rest = substr(rest, RSTART + 2)
			in_comment = 0
		} else if (match(rest, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*|\/\//)) {
			code = code substr(rest, 1, RSTART - 1)
			what = substr(rest, RSTART, 2)
			rest = substr(rest, RSTART + RLENGTH)
			if (what == "//") break
			if (what == "/*") in_comment = 1
			else code = code substr(what, 1, 1) substr(what, 1, 1)
		} else {
			code = code rest
			break
		}
	}
	print FILENAME ":" FNR ":" code
}
