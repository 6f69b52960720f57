package plain

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

func TestError(t *testing.T) {
	var into struct {
		Count int       `json:"count"`
		On    bool      `json:"on"`
		Rate  float64   `json:"rate"`
		At    time.Time `json:"at"`
		Bytes []byte    `json:"bytes"`
		In    struct {
			Index uint8 `json:"index"`
		} `json:"in"`
	}
	decode := func(text string) error { return json.Unmarshal([]byte(text), &into) }
	_, odd := hex.DecodeString("abc")
	_, letter := hex.DecodeString("0g")
	const whole = ", want a whole number, written without point or exponent"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{decode(`{"count":1.0}`), `field "count" is 1.0` + whole},
		{decode(`{"count":1e3}`), `field "count" is 1e3` + whole},
		{decode(`{"in":{"index":-1}}`), `field "in.index" is -1` + whole},
		{decode(`{"in":{"index":256}}`), `field "in.index" is 256` + whole},
		{decode(`{"in":1}`), `field "in" is a JSON number, want an object`},
		{decode(`{"on":1}`), `field "on" is a JSON number, want true or false`},
		{decode(`{"rate":"x"}`), `field "rate" is a JSON string, want a number`},
		{decode(`{"bytes":1}`), `field "bytes" is a JSON number, want a string`},
		{decode(`"x"`), `it is a JSON string, want an object`},
		{decode(`{"at":"now"}`), `"now" is not a time as RFC 3339 writes it, such as 2026-01-31T12:30:00Z`},
		{decode(`{"at":1}`), `a time is a JSON string, such as "2026-01-31T12:30:00Z"`},
		{decode(`{"count":1`), "it is not JSON: it is empty or cut off"},
		{decode(`{"count":}`), "it is not JSON, at byte 10"},
		{odd, "an odd number of hexadecimal digits (there are two a byte)"},
		{letter, "'g' is not a hexadecimal digit (two digits a byte, without 0x)"},
		{io.EOF, cutOff},
		{io.ErrUnexpectedEOF, cutOff},
		{io.ErrClosedPipe, io.ErrClosedPipe.Error()},
	} {
		if got := Error(tt.err); got == nil || got.Error() != tt.want || !errors.Is(got, tt.err) {
			t.Errorf("%v: %v, want %s", tt.err, got, tt.want)
		}
	}
	if err := Error(nil); err != nil {
		t.Error(err)
	}
}
