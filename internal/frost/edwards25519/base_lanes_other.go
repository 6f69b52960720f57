//go:build !amd64 || purego

package edwards25519

func (s secrets) multiplyTogether() bool { return false }
