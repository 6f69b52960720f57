package descriptor

import (
	"errors"
	"fmt"
	"strings"
)

const (
	inputCharset = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumSize    = 8
)

// ErrChecksum means that a descriptor lacks its checksum or has another one.
var ErrChecksum = errors.New("descriptor without its right checksum of 8 characters after a #: was it copied whole?")

// Checksum returns the checksum of a descriptor without one. BIP 380, descsum_create.
func Checksum(script string) (string, error) {
	c := uint64(1)
	groups, n := 0, 0
	for i := range len(script) {
		at := strings.IndexByte(inputCharset, script[i])
		if at < 0 {
			return "", fmt.Errorf("character %d of a descriptor is not of its alphabet", i+1)
		}
		c = polymod(c, at%32)
		groups, n = 3*groups+at/32, n+1
		if n == 3 {
			c = polymod(c, groups)
			groups, n = 0, 0
		}
	}
	if n > 0 {
		c = polymod(c, groups)
	}
	for range checksumSize {
		c = polymod(c, 0)
	}
	c ^= 1
	var out [checksumSize]byte
	for i := range out {
		out[i] = checksumCharset[c>>(5*(checksumSize-1-i))%32]
	}
	return string(out[:]), nil
}

// polymod takes in one symbol. BIP 380, descsum_polymod.
func polymod(c uint64, symbol int) uint64 {
	top := c >> 35
	c = c&(1<<35-1)<<5 ^ uint64(symbol)
	for i, g := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			c ^= g
		}
	}
	return c
}

// addChecksum returns script#checksum.
func addChecksum(script string) string {
	sum, err := Checksum(script)
	if err != nil {
		panic("descriptor: " + err.Error()) // of what this package wrote
	}
	return script + "#" + sum
}

// cutChecksum returns a descriptor without its checksum, which it must have.
func cutChecksum(text string) (string, error) {
	at := len(text) - checksumSize - 1
	if at < 0 || text[at] != '#' {
		return "", ErrChecksum
	}
	sum, err := Checksum(text[:at])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrDescriptor, err)
	}
	if sum != text[at+1:] {
		return "", ErrChecksum
	}
	return text[:at], nil
}
