package derive

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string]Path{
		"0": {0}, "0/17": {0, 17}, "2147483647": {MaxIndex}, "1/2/3/4/5/6/7/8": {1, 2, 3, 4, 5, 6, 7, 8},
		"10/0/100": {10, 0, 100},
	} {
		got, err := ParsePath(text)
		if err != nil || !slices.Equal(got, want) || got.String() != text {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		"": ErrMalformed, "/": ErrMalformed, "0/": ErrMalformed, "/0": ErrMalformed, "0//1": ErrMalformed,
		"m": ErrMalformed, "m/0": ErrMalformed, "00": ErrMalformed, "01": ErrMalformed, "0/017": ErrMalformed,
		"+1": ErrMalformed, "-1": ErrMalformed, " 1": ErrMalformed, "1 ": ErrMalformed, "1.0": ErrMalformed,
		"1e3": ErrMalformed, "0x1": ErrMalformed, "1_0": ErrMalformed, "*": ErrMalformed, "<0;1>": ErrMalformed,
		"١": ErrMalformed, "0\n": ErrMalformed, "h": ErrMalformed, "'": ErrMalformed, "0''": ErrMalformed,
		"0hh": ErrMalformed, "01'": ErrMalformed, "0'/x": ErrHardened,
		"0'": ErrHardened, "0h": ErrHardened, "0H": ErrHardened, "86'/0'/0'": ErrHardened, "0/1h": ErrHardened,
		"2147483648": ErrIndex, "4294967296": ErrIndex, "18446744073709551616": ErrIndex,
		"0/2147483648": ErrIndex, strings.Repeat("9", 1<<20): ErrIndex,
		"1/2/3/4/5/6/7/8/9": ErrTooDeep, strings.Repeat("/", 1<<20): ErrTooDeep,
	} {
		path, err := ParsePath(text)
		if !errors.Is(err, want) || path != nil {
			t.Errorf("%.40q is %v, %v; want %v", text, path, err, want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%.40q: the error repeats it", text)
		}
	}
}

// A path that was not parsed is checked all the same.
func TestPathsOfPrograms(t *testing.T) {
	for _, root := range roots(t) {
		for want, path := range map[error]Path{ErrIndex: {0, MaxIndex + 1}, ErrTooDeep: make(Path, MaxDepth+1)} {
			if _, err := root.Child(path); !errors.Is(err, want) {
				t.Errorf("child %v: %v", path, err)
			}
			if _, err := root.Offsets(path); !errors.Is(err, want) {
				t.Errorf("offsets of %v: %v", path, err)
			}
		}
	}
}

func TestPathText(t *testing.T) {
	check := func(indexes []uint32, depth uint8) bool {
		path := Path(indexes)[:min(len(indexes), int(depth)%MaxDepth+1)]
		for i := range path {
			path[i] &= MaxIndex
		}
		if len(path) == 0 {
			path = Path{rand.Uint32() & MaxIndex}
		}
		got, err := ParsePath(path.String())
		return err == nil && slices.Equal(got, path)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, text := range []string{"", "0/17", "0'", "1/2/3/4/5/6/7/8/9", "2147483648", "01", "m/0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := ParsePath(text)
		if err != nil {
			if path != nil {
				t.Fatalf("an error and %v", path)
			}
			return
		}
		if path.String() != text || path.validate() != nil || len(path) == 0 {
			t.Fatalf("%q is %v", text, path)
		}
	})
}
