# Lays out one JSON array of steps, as Bicep outputs reach azd's hooks: texts, or objects of texts such as
# {"who": …, "what": …, "az": …, "powershell": …}. With -v skip=NAME, that field is left out.
{ text = text $0 "\n" }

END {
    item = 0
    depth = 0
    end = length(text)
    for (i = 1; i <= end; i++) {
        c = substr(text, i, 1)
        if (c == "[" || c == "{") {
            kind[++depth] = c
            if (c == "{" && depth == 2) begin()
        } else if (c == "]" || c == "}") {
            if (c == "}" && depth == 2) finish()
            depth--
        } else if (c == "\"") {
            value = string()
            if (kind[depth] == "{" && substr(text, i + 1, 8) ~ /^[ \t\r\n]*:/) {
                if (depth == 2) key = value
            } else if (depth == 1) {
                begin()
                field["what"] = value
                finish()
            } else if (key in field) {
                field[key] = field[key] "\n" value
            } else {
                field[key] = value
                order[++fields] = key
            }
        }
    }
}

# The string that begins at `i`; `i` ends up at its last quote.
function string(    s, d) {
    s = ""
    for (i++; i <= end; i++) {
        d = substr(text, i, 1)
        if (d == "\"") break
        if (d == "\\") {
            d = substr(text, ++i, 1)
            if (d == "n") d = "\n"
            else if (d == "t") d = "    "
            else if (d == "r" || d == "b" || d == "f") d = ""
            else if (d == "u") {
                d = character(substr(text, i + 1, 4))
                i += 4
            }
        }
        s = s d
    }
    return s
}

# Of four hexadecimal digits: what JSON writers write so is ASCII; the rest stays as it was written, and control characters go.
function character(digits,    n, k) {
    n = 0
    for (k = 1; k <= 4; k++) n = n * 16 + index("0123456789abcdef", tolower(substr(digits, k, 1))) - 1
    if (n < 32 || n == 127) return ""
    return n < 127 ? sprintf("%c", n) : "\\u" digits
}

function begin() {
    split("", field)
    split("", order)
    fields = 0
    key = ""
}

function finish(    head, k, name) {
    head = field["what"]
    if (field["who"] != "") head = field["who"] (head == "" ? "" : ": " head)
    indented(sprintf("%3d. ", ++item), head)
    for (k = 1; k <= fields; k++) {
        name = order[k]
        if (name == "who" || name == "what" || name == skip || field[name] == "") continue
        if (name != "az" && name != "powershell" && name != "command" && name != "commands") print "     " name ":"
        indented("       ", field[name])
    }
}

function indented(first, block,    lines, n, k, pad) {
    pad = sprintf("%" length(first) "s", "")
    n = split(block, lines, "\n")
    for (k = 1; k <= n; k++) {
        # A text of somebody else's could turn the terminal around.
        gsub(/[\001-\037\177]/, "", lines[k])
        print (k == 1 ? first : pad) lines[k]
    }
}
