package bitcoin

import "encoding/binary"

// reader takes bytes apart. After the first that is not there it has failed, and gives
// nothing more, so that one look at failed is enough.
type reader struct {
	b      []byte
	failed bool
	fields section // of the map that is being read
	room   section // for maps that were read
}

// take returns the next n bytes, not copied.
func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

// size reads a compact size. Each number has one encoding, the shortest.
func (r *reader) size() uint64 {
	first := r.take(1)
	if r.failed {
		return 0
	}
	var n, least uint64
	switch first[0] {
	case 0xfd:
		if b := r.take(2); b != nil {
			n, least = uint64(binary.LittleEndian.Uint16(b)), 0xfd
		}
	case 0xfe:
		if b := r.take(4); b != nil {
			n, least = uint64(binary.LittleEndian.Uint32(b)), 1<<16
		}
	case 0xff:
		if b := r.take(8); b != nil {
			n, least = binary.LittleEndian.Uint64(b), 1<<32
		}
	default:
		n = uint64(first[0])
	}
	r.failed = r.failed || n < least
	if r.failed {
		return 0
	}
	return n
}

// bytes reads what has its length before it.
func (r *reader) bytes() []byte { return r.take(r.size()) }

// count reads how many of something there are, each of at least so many bytes. One that
// the rest has no room for is a failure, so that nothing is allocated for it.
func (r *reader) count(least int) int {
	n := r.size()
	if n > uint64(len(r.b)/least) {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	return int(n)
}

// end reports whether all was read, and nothing was missing.
func (r *reader) end() bool { return !r.failed && len(r.b) == 0 }

// The fewest bytes of an input and an output of a transaction.
const (
	leastInput  = 32 + 4 + 1 + 4
	leastOutput = 8 + 1
)

// wellFormed reports whether b is a transaction and nothing else, in the form with or
// without witnesses, and how many inputs it has. No value in it is looked at.
func wellFormed(b []byte, witnesses bool) (inputs int, ok bool) {
	r := &reader{b: b}
	r.take(4)
	segregated := witnesses && len(r.b) > 1 && r.b[0] == 0 && r.b[1] == 1
	if segregated {
		r.take(2)
	}
	inputs = r.count(leastInput)
	for range inputs {
		r.take(32 + 4)
		r.bytes()
		r.take(4)
	}
	for range r.count(leastOutput) {
		r.take(8)
		r.bytes()
	}
	if segregated {
		for range inputs {
			r.witness()
		}
	}
	r.take(4)
	return inputs, r.end()
}

// witness reads the stack of an input.
func (r *reader) witness() [][]byte {
	stack := make([][]byte, r.count(1))
	for i := range stack {
		stack[i] = r.bytes()
	}
	return stack
}

// parseWitness reads a witness that stands alone, as PSBTs have it.
func parseWitness(b []byte) ([][]byte, bool) {
	r := &reader{b: b}
	stack := r.witness()
	return stack, r.end()
}
