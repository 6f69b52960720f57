package derive

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
)

const (
	// MaxDepth is how many steps a path may have.
	MaxDepth = frost.MaxOffsets
	// MaxIndex is the highest unhardened index.
	MaxIndex = 1<<31 - 1
)

// The ways in which a path is refused. errors.Is tells them apart; the sentences are
// for users.
var (
	// ErrMalformed means that a path is empty or not of the form "0/17".
	ErrMalformed = errors.New(`not a path: want decimal steps such as "0/17", without signs, spaces or leading zeros`)
	// ErrHardened means that a path has a hardened step.
	ErrHardened = errors.New("a hardened step: a shared key has unhardened children only")
	// ErrTooDeep means that a path has too many steps.
	ErrTooDeep = fmt.Errorf("a path of too many steps: want at most %d", MaxDepth)
	// ErrIndex means that a step is out of range.
	ErrIndex = fmt.Errorf("an index out of range: want 0 to %d", MaxIndex)
)

// Path leads from a key to one of its descendants, one index a step. The empty path
// leads to the key itself; it has no text.
type Path []uint32

// ParsePath reads a path such as "0/17". Every path has one text, which
// [Path.String] returns.
func ParsePath(text string) (Path, error) {
	separators := strings.Count(text, "/")
	if separators >= MaxDepth {
		return nil, ErrTooDeep
	}
	path := make(Path, 0, separators+1)
	for step := range strings.SplitSeq(text, "/") {
		index, err := parseStep(step)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", len(path)+1, err)
		}
		path = append(path, index)
	}
	return path, nil
}

func parseStep(step string) (uint32, error) {
	number := strings.TrimRight(step, "'hH")
	if number == "" || strings.Trim(number, "0123456789") != "" || number[0] == '0' && number != "0" {
		return 0, ErrMalformed
	}
	switch len(step) - len(number) {
	case 0:
	case 1:
		return 0, ErrHardened
	default:
		return 0, ErrMalformed
	}
	index, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return 0, ErrIndex
	}
	return uint32(index), nil
}

// String returns the path's text, "" for the empty path.
func (p Path) String() string {
	steps := make([]string, len(p))
	for i, index := range p {
		steps[i] = strconv.FormatUint(uint64(index), 10)
	}
	return strings.Join(steps, "/")
}

// validate checks a path that was not parsed.
func (p Path) validate() error {
	if len(p) > MaxDepth {
		return ErrTooDeep
	}
	for i, index := range p {
		if index > MaxIndex {
			return fmt.Errorf("step %d: %w", i+1, ErrIndex)
		}
	}
	return nil
}
