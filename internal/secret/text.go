package secret

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// misencoded says why bytes are no text that programs agree on, and the command
// that fixes FILE. Empty: they are.
func misencoded(data []byte) (problem, remedy string) {
	const toUTF8 = "iconv -f UTF-16 -t UTF-8 FILE, and save that in its place without a byte-order mark"
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return "begins with a byte-order mark (BOM)", `sed -i '1s/^\xEF\xBB\xBF//' FILE`
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "is UTF-16, with a byte-order mark (BOM), and not UTF-8", toUTF8
	case bytes.IndexByte(data, 0) >= 0:
		return "holds a NUL byte, as UTF-16 and binary files do", "save it as UTF-8 text; from UTF-16: " + toUTF8
	}
	return "", ""
}

// ParseLine copies a secret that stands alone on one line, with or without a
// line end. It refuses what an editor or a shell adds by accident: a token
// would count each of these as a wrong PIN. The error says "has ...", to stand
// behind the name of what was parsed, and quotes nothing.
func ParseLine(text []byte, most int) (*Bytes, error) {
	if problem, _ := misencoded(text); problem != "" {
		return nil, errors.New(problem)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	if len(text) == 0 {
		return nil, errors.New("is empty")
	}
	if len(text) > most {
		return nil, fmt.Errorf("holds more than %d bytes", most)
	}
	if bytes.ContainsAny(text, "\r\n") {
		return nil, errors.New("holds more than one line")
	}
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8 text")
	}
	if err := stray(text); err != nil {
		return nil, err
	}
	return New(bytes.Clone(text)), nil
}

// stray finds what surrounds a value by accident.
func stray(text []byte) error {
	first, _ := utf8.DecodeRune(text)
	last, size := utf8.DecodeLastRune(text)
	alone := size == len(text)
	switch {
	case unicode.IsSpace(first), unicode.IsSpace(last):
		return errors.New("begins or ends with a blank")
	case bytes.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return errors.New("holds a character that cannot be seen " +
			"(a control character, a tab, a zero-width or no-break space)")
	case !alone && closes[first] == last && last != 0:
		return errors.New("stands in quotes: take the quotes away")
	case bytes.HasPrefix(text, []byte("# ")), bytes.Contains(text, []byte(" #")):
		return errors.New("holds a comment: only the value may stand there")
	}
	return nil
}

// closes has the closing quote of each opening one.
var closes = map[rune]rune{'"': '"', '\'': '\'', '`': '`', '“': '”', '‘': '’', '«': '»', '„': '“'}
