package console_test

import (
	"fmt"
	"testing"
)

// TestModules: what the console's modules make of values, those that nobody should send included.
func TestModules(t *testing.T) {
	t.Parallel()
	b := open(t, newFake(t).URL, wide, high)
	b.sees("Who are you?")
	for _, c := range []struct{ module, expression, want string }{
		{"format", `m.duration(0)`, "0 s"}, {"format", `m.duration(0.0004)`, "<1 ms"}, {"format", `m.duration(0.25)`, "250 ms"},
		{"format", `m.duration(9.96)`, "10.0 s"}, {"format", `m.duration(59.7)`, "59 s"},
		{"format", `m.duration(61)`, "1 min 1 s"},
		{"format", `m.duration(119.8)`, "1 min 59 s"}, {"format", `m.duration(3600)`, "1 h 0 min"},
		{"format", `m.duration(90000)`, "1 d 1 h"}, {"format", `m.duration(NaN)`, "–"}, {"format", `m.duration(null)`, "–"},
		{"format", `m.rate(0)`, "0"}, {"format", `m.rate(0.001)`, "<0.01"}, {"format", `m.rate(0.254)`, "0.25"},
		{"format", `m.rate(12.5)`, "13"}, {"format", `m.rate(1234.4)`, "1,234"}, {"format", `m.rate(undefined)`, "–"},
		{"format", `m.ago('not a time', 0)`, "–"}, {"format", `m.ago('1970-01-01T00:00:10Z', 0)`, "in 10 s"},
		{"format", `m.ago('1970-01-01T00:00:00Z', 65000)`, "1 min 5 s ago"}, {"format", `m.clock('not a time')`, "–"},
		{"format", `m.ticks(0).join()`, "0,1"}, {"format", `m.ticks(7).join()`, "0,2,4,6,8"},
		{"format", `m.ticks(0.3).join()`, "0,0.1,0.2,0.3"}, {"format", `m.ticks(NaN).join()`, "0,1"},
		{"format", `m.visible('a\u202eb\u0000\u200b\ud800')`, `a\u{202e}b\u{0}\u{200b}\u{d800}`},
		{"format", `m.visible('a\nb\tc', '\n')`, "a\nb\\u{9}c"}, {"format", `m.visible(null)`, ""},
		{"format", `m.plural(1, 'job') + m.plural(2000, 'job')`, "1 job2,000 jobs"},
		{"api", `JSON.stringify(m.parseEvents(': x\n\nevent: job\nid: 7\ndata: {\ndata:  }\n\nid: 8\nda'))`,
			`{"events":[{"type":"job","id":"7","data":"{\n }"}],"rest":"id: 8\nda"}`},
		{"api", `m.query('/v1/keys', {a: '', b: null, c: 'x y&z'})`, "/v1/keys?c=x+y%26z"},
		{"api", `m.query('/v1/keys', {})`, "/v1/keys"},
		{"keys", `JSON.stringify(m.search(' 6060447d940b73249b5c77f4c581e119.5 '))`,
			`{"key":"6060447d940b73249b5c77f4c581e119.5"}`},
		{"keys", `Object.keys(m.search('0198c0de-7a10-7cc3-98c4-dc0c0c07398f')).join()`, "job"},
		{"keys", `Object.keys(m.search('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4')).join()`, "address"},
		{"keys", `Object.keys(m.search('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v')).join()`, "address"},
		{"keys", `Object.keys(m.search('cold wallet')).join()`, "text"},
		{"reading", `m.money({asset: 'btc', units: 1})`, "0.00000001 BTC"},
		{"reading", `m.money({asset: 'sol', units: 2500000000})`, "2.500000000 SOL"},
		{"reading", `m.money({asset: 'spl:X', units: 18446744073709551615n, decimals: 6})`,
			"18446744073709.551615 (18446744073709551615 smallest units of token X)"},
		{"reading", `m.money({asset: 'btc', units: 2 ** 60})`, "more than this browser can write: see the text BTC"},
	} {
		got := value[string](b, fmt.Sprintf(`import('/console/%s.js').then(m => %s)`, c.module, c.expression))
		if got != c.want {
			t.Errorf("%s: %s is %q, want %q", c.module, c.expression, got, c.want)
		}
	}
}
