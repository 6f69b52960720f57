package protocol

import (
	"reflect"
	"testing"
)

// TestSmallMachines: the machines are made of structs that fit in a head.
func TestSmallMachines(t *testing.T) {
	const limit = 8
	for _, machine := range []any{
		Coordinator{}, directory{}, keygen{}, signJobs{}, Node{}, nodeCore{}, dealer{}, signer{}, reconciler{},
		claimSet{}, fetcher{},
	} {
		if s := reflect.TypeOf(machine); s.NumField() > limit {
			t.Errorf("%s has %d fields, more than %d: is it two machines?", s.Name(), s.NumField(), limit)
		}
	}
}
