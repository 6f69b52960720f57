package sim

import (
	"encoding/binary"
	"math/rand/v2"
)

// drawer is a process's random source. It is seeded by the world and never
// rewound: a restarted process has another. What it gives out is registered,
// so that it is recognised where it must not appear.
type drawer struct {
	source *rand.ChaCha8
	watch  *watchlist
	owner  string
}

func newDrawer(w *world, owner string) *drawer {
	var key [32]byte
	for i := 0; i < len(key); i += 8 {
		binary.LittleEndian.PutUint64(key[i:], w.rng.Uint64())
	}
	return &drawer{source: rand.NewChaCha8(key), watch: &w.check.watch, owner: owner}
}

func (d *drawer) Read(p []byte) (int, error) {
	n, err := d.source.Read(p)
	for i := 0; i+32 <= n; i += 32 {
		d.watch.forbid(RuleN2Memory, p[i:i+32], "random bytes of "+d.owner, "")
	}
	return n, err
}

// watchlist finds byte strings inside messages by their first eight bytes.
type watchlist struct {
	sieve [1 << 13]uint64 // a bit for each value of 19 bits
	marks map[uint64]mark
}

// mark says what a byte string is and where alone it may stand.
type mark struct {
	rule          Rule
	what, subject string
}

func (l *watchlist) forbid(rule Rule, secret []byte, what, except string) {
	if len(secret) < 8 {
		return
	}
	v := binary.LittleEndian.Uint64(secret)
	if l.marks == nil {
		l.marks = map[uint64]mark{}
	}
	l.marks[v] = mark{rule, what, except}
	l.sieve[v>>6&0x1fff] |= 1 << (v & 63)
}

// find looks for a marked string in data that is to stand under a subject.
func (l *watchlist) find(subject string, data []byte) (mark, bool) {
	for i := 0; i+8 <= len(data); i++ {
		v := binary.LittleEndian.Uint64(data[i:])
		if l.sieve[v>>6&0x1fff]&(1<<(v&63)) == 0 {
			continue
		}
		if m, ok := l.marks[v]; ok && m.subject != subject {
			return m, true
		}
	}
	return mark{}, false
}
