package protocol

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzParseCard: an error gives nothing, and what is taken is written as it was
// read.
func FuzzParseCard(f *testing.F) {
	f.Add([]byte(`{"index":1,"identity":"04ab","encryption":"00"}`))
	f.Add([]byte(`{"index":0,"identity":"","encryption":"","x":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCard(data)
		if err != nil {
			if !reflect.DeepEqual(c, NodeCard{}) {
				t.Fatalf("%+v beside %v", c, err)
			}
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseCard(text); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v, then %+v, %v", c, again, err)
		}
	})
}
