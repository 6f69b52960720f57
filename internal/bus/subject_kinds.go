package bus

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	idLen   = 32 // a batch or session id, hexadecimal
	hashLen = 64 // SHA-256, hexadecimal
)

// RoundKind is the kind of a worker's message in a batch or a session.
type RoundKind string

// The round messages: Deal, Cert and Abort belong to a key generation batch,
// Commit, Share and Refuse to a signing session.
const (
	Deal   RoundKind = "deal"
	Cert   RoundKind = "cert"
	Abort  RoundKind = "abort"
	Commit RoundKind = "commit"
	Share  RoundKind = "share"
	Refuse RoundKind = "refuse"
)

func (k RoundKind) family() string {
	switch k {
	case Deal, Cert, Abort:
		return "dkg"
	case Commit, Share, Refuse:
		return "sign"
	}
	return ""
}

// Round is a slot of worker Index in batch or session ID.
type Round struct {
	Kind  RoundKind
	ID    string // 32 lower-case hexadecimal characters
	Index int    // 0..254
}

// RoundSubject is dkg.<batch>.<kind>.<i> or sign.<session>.<kind>.<i>.
func RoundSubject(kind RoundKind, id string, index int) (string, error) {
	family := kind.family()
	if family == "" {
		return "", fmt.Errorf("%w: unknown round kind %q", ErrSubject, clip(string(kind)))
	}
	if err := checkHex(id, idLen); err != nil {
		return "", err
	}
	if index < 0 || index > maxIndex {
		return "", fmt.Errorf("%w: index %d must be 0 to %d", ErrSubject, index, maxIndex)
	}
	return family + "." + id + "." + string(kind) + "." + strconv.Itoa(index), nil
}

// ParseRound is the reverse of RoundSubject.
func ParseRound(subject string) (Round, error) {
	t, err := split(subject, 4)
	if err != nil {
		return Round{}, err
	}
	kind := RoundKind(t[2])
	if family := kind.family(); family == "" || family != t[0] {
		return Round{}, fmt.Errorf("%w: %q is no round message", ErrSubject, clip(subject))
	}
	if err := checkHex(t[1], idLen); err != nil {
		return Round{}, err
	}
	index, err := parseNumber(t[3], maxIndex)
	if err != nil {
		return Round{}, err
	}
	return Round{Kind: kind, ID: t[1], Index: index}, nil
}

// The slots of worker i, for those who know which one they want.

func DealSubject(batch string, i int) (string, error)     { return RoundSubject(Deal, batch, i) }
func CertSubject(batch string, i int) (string, error)     { return RoundSubject(Cert, batch, i) }
func AbortSubject(batch string, i int) (string, error)    { return RoundSubject(Abort, batch, i) }
func CommitSubject(session string, i int) (string, error) { return RoundSubject(Commit, session, i) }
func ShareSubject(session string, i int) (string, error)  { return RoundSubject(Share, session, i) }
func RefuseSubject(session string, i int) (string, error) { return RoundSubject(Refuse, session, i) }

// BatchFilter matches everything about one batch, SessionFilter everything
// about one session.
func BatchFilter(batch string) (string, error)     { return idFilter("dkg", batch) }
func SessionFilter(session string) (string, error) { return idFilter("sign", session) }

func idFilter(family, id string) (string, error) {
	if err := checkHex(id, idLen); err != nil {
		return "", err
	}
	return family + "." + id + ".>", nil
}

// ManifestSubject is manifest.<hash>, the hash in lower-case hexadecimal.
func ManifestSubject(hash string) (string, error) {
	if err := checkHex(hash, hashLen); err != nil {
		return "", err
	}
	return "manifest." + hash, nil
}

// ParseManifest returns the hash of a manifest's subject.
func ParseManifest(subject string) (hash string, err error) {
	t, err := splitAs(subject, "manifest", 2)
	if err != nil {
		return "", err
	}
	if err := checkHex(t[1], hashLen); err != nil {
		return "", err
	}
	return t[1], nil
}

func split(subject string, n int) ([]string, error) {
	t := strings.SplitN(subject, ".", n+1)
	if len(t) != n {
		return nil, fmt.Errorf("%w: %q must have %d tokens", ErrSubject, clip(subject), n)
	}
	return t, nil
}

// splitAs wants n tokens, the first one given, the others well-formed.
func splitAs(subject, first string, n int) ([]string, error) {
	t, err := split(subject, n)
	if err != nil {
		return nil, err
	}
	if t[0] != first {
		return nil, fmt.Errorf("%w: %q must start with %s", ErrSubject, clip(subject), first)
	}
	return t, checkTokens(t[1:]...)
}

func checkTokens(tokens ...string) error {
	for _, t := range tokens {
		if err := CheckToken(t); err != nil {
			return err
		}
	}
	return nil
}
