package wire

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// allocated is how much memory f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestParseTakesLittleMemory: whatever a client writes into the 1 MiB of a payload, reading
// it takes memory in proportion to that. A client may have 256 jobs read at a time.
func TestParseTakesLittleMemory(t *testing.T) {
	const most = 16 << 20 // bytes; a job of 1,000 items takes 3 MiB
	wide := func(entry string) string {
		const head, end = `{"job":"0198c0de-7a10-7cc3-98c4-dc0c0c07398f","kind":"sign","items":[`, `0]}`
		return head + strings.Repeat(entry+",", (MaxJobSize-len(head+end))/(len(entry)+1)) + end
	}
	var fields, items strings.Builder
	for i := 0; fields.Len() < MaxJobSize-32; i++ {
		fmt.Fprintf(&fields, `"f%d":0,`, i)
	}
	for i := range MaxJobItems {
		fmt.Fprintf(&items, `{"key":"%s.%d","path":"0/%[2]d","message":"%s"},`, someBatch, i, strings.Repeat("ab", 450))
	}
	for name, test := range map[string]struct {
		payload string
		want    Code
	}{
		"empty items":     {wide(`{}`), CodeTooLarge},
		"numbers":         {wide(`0`), CodeTooLarge},
		"texts":           {wide(`""`), CodeTooLarge},
		"items with path": {wide(`{"path":""}`), CodeTooLarge},
		"lists":           {wide(`[]`), CodeTooLarge},
		"not an object":   {"[" + strings.Repeat("0,", MaxJobSize/2-2) + "0]", CodeTooLarge},
		"fields":          {"{" + fields.String() + `"job":0}`, CodeMalformedJob},
		"items with fields": {`{"items":[{` + strings.TrimSuffix(fields.String(), ",") + `}]}`,
			CodeMalformedJob},
		"a job": {`{"job":"0198c0de-7a10-7cc3-98c4-dc0c0c07398f","kind":"sign","expires":"2026-01-02T04:00:00Z","items":[` +
			strings.TrimSuffix(items.String(), ",") + "]}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var err *JobError
			took := allocated(func() {
				_, err = SignedJob{Kind: KindSign, Payload: []byte(test.payload)}.Parse(t0)
			})
			if took > most {
				t.Errorf("%d bytes took %d MiB", len(test.payload), took>>20)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Code != test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			t.Logf("%d KiB took %d KiB", len(test.payload)>>10, took>>10)
		})
	}
}
