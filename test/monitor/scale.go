package monitor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Faster gives a file of Prometheus, a configuration or rules, in which every
// time is divided by factor: intervals, how long an alert waits, and in
// expressions ranges, offsets and what predict_linear looks ahead. What counts
// seconds that do not pass for Prometheus alone (a certificate's days, a lag)
// stays as it is. The text between, comments too, is untouched.
func Faster(text string, factor int) (string, error) {
	if factor < 1 {
		return "", fmt.Errorf("times can't be divided by %d", factor)
	}
	if factor == 1 {
		return text, nil
	}
	shorter := func(span string) string { return strconv.Itoa(max(milliseconds(span)/factor, 1)) + "ms" }
	for _, place := range places {
		text = place.ReplaceAllStringFunc(text, func(found string) string {
			return span.ReplaceAllStringFunc(found, shorter)
		})
	}
	return fasterPredictions(text, factor)
}

// milliseconds of a time as Prometheus writes it: 1h30m.
func milliseconds(span string) int {
	sum := 0
	for _, part := range spanPart.FindAllStringSubmatch(span, -1) {
		n, _ := strconv.Atoi(part[1]) // digits
		sum += n * units[part[2]]
	}
	return sum
}

const day = 24 * 3600 * 1000

var (
	units    = map[string]int{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": day, "w": 7 * day, "y": 365 * day}
	spanPart = regexp.MustCompile(`(\d+)(ms|[smhdwy])`)
)

const spanPattern = `\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*`

var (
	span   = regexp.MustCompile(`\b` + spanPattern + `\b`)
	places = []*regexp.Regexp{
		regexp.MustCompile(`(?m)^[ -]*(?:[a-z_]+_)?(?:interval|timeout|for):[ ]*` + spanPattern),
		regexp.MustCompile(`\[\s*` + spanPattern + `\s*(?::\s*(?:` + spanPattern + `)?\s*)?\]`),
		regexp.MustCompile(`\boffset\s+-?` + spanPattern),
	}
)

// fasterPredictions divides the last argument of each predict_linear: seconds,
// as a number or a product of numbers.
func fasterPredictions(text string, factor int) (string, error) {
	const call = "predict_linear("
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, call)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		out.WriteString(call)
		comma, end := lastArgument(rest)
		if end < 0 || comma < 0 {
			return "", fmt.Errorf("%s%s: a call without its end", call, rest[:min(len(rest), 40)])
		}
		out.WriteString(rest[:comma+1] + " (" + strings.TrimSpace(rest[comma+1:end]) + ") / " + strconv.Itoa(factor))
		text = rest[end:]
	}
}

// lastArgument finds, in what follows a call's opening parenthesis, the comma
// before its last argument and its closing parenthesis; -1 if there is none.
func lastArgument(rest string) (comma, end int) {
	comma = -1
	depth, quote := 0, rune(0)
	for i, c := range rest {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '(' || c == '{' || c == '[':
			depth++
		case c == ')' && depth == 0:
			return comma, i
		case c == ')' || c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			comma = i
		}
	}
	return comma, -1
}
