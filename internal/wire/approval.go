package wire

import (
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Approvals go beside a job: signatures over its digest, by keys that the policies of nodes
// name. Nothing but these policies says whose they are.

// HeaderApproval is the header of an approval, of which a job may have several: the
// approver's name and the signature in hexadecimal, with a space between.
const HeaderApproval = "Frost-Approval"

// MaxApprovals is how many approvals may go with a job.
const MaxApprovals = 16

// Approval is somebody's signature over ApprovalSigningInput.
type Approval struct {
	Name      string `cbor:"1,keyasint"`
	Signature []byte `cbor:"2,keyasint"`
}

// ApprovalSigningInput is what an approver's Ed25519 key signs: a tag, the fleet, the
// network, the manifest's hash and the job's digest, as lines. The digest has client,
// kind and payload in it.
func ApprovalSigningInput(m *Manifest, digest [32]byte) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n%x\n%x\n", "frostfleet/approval/v1", m.Fleet, m.Network, m.Hash(), digest)
}

// Approve signs a job's digest for an approver.
func Approve(key ed25519.PrivateKey, name string, m *Manifest, digest [32]byte) Approval {
	return Approval{Name: name, Signature: ed25519.Sign(key, ApprovalSigningInput(m, digest))}
}

// Verify reports whether an approval is this key's, over this job.
func (a Approval) Verify(key ed25519.PublicKey, m *Manifest, digest [32]byte) bool {
	v, err := newVerifier(key)
	return err == nil && v.verify(ApprovalSigningInput(m, digest), a.Signature)
}

// Header is the value of the approval's header.
func (a Approval) Header() string { return a.Name + " " + hex.EncodeToString(a.Signature) }

// ParseApproval reads the value of an approval's header.
func ParseApproval(value string) (Approval, error) {
	name, signature, _ := strings.Cut(strings.Trim(value, " \t"), " ")
	raw, err := hex.DecodeString(signature)
	if a := (Approval{Name: name, Signature: raw}); err == nil && a.wellFormed() {
		return a, nil
	}
	return Approval{}, fmt.Errorf("%.80q is not an approver's name, a space, and the %d hexadecimal digits of a signature",
		value, 2*ed25519.SignatureSize)
}

func (a Approval) wellFormed() bool {
	return IsToken(a.Name) && len(a.Signature) == ed25519.SignatureSize
}

// readApprovals reads the approvals among a job's headers, in one order whatever theirs was.
func readApprovals(headers map[string][]string) ([]Approval, error) {
	var list []Approval
	for k, values := range headers {
		if len(k) != len(HeaderApproval) || !strings.EqualFold(k, HeaderApproval) {
			continue
		}
		for _, v := range values {
			a, err := ParseApproval(v)
			if err != nil {
				return nil, fmt.Errorf("the header %s: %w", HeaderApproval, err)
			}
			list = append(list, a)
		}
	}
	list = MergeApprovals(list, nil)
	if len(list) > MaxApprovals {
		return nil, fmt.Errorf("the header %s is there %d times: at most %d", HeaderApproval, len(list), MaxApprovals)
	}
	return list, nil
}

// MergeApprovals is all approvals of two lists, each once, in order.
func MergeApprovals(a, b []Approval) []Approval {
	all := slices.Concat(a, b)
	slices.SortFunc(all, compareApprovals)
	return slices.CompactFunc(all, func(x, y Approval) bool { return compareApprovals(x, y) == 0 })
}

func compareApprovals(a, b Approval) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Signature, b.Signature))
}

// checkApprovals holds those of a task against the bounds that ReadJob keeps.
func (j SignedJob) checkApprovals() error {
	if len(j.Approvals) > MaxApprovals {
		return fmt.Errorf("%d approvals: a job has at most %d", len(j.Approvals), MaxApprovals)
	}
	for i, a := range j.Approvals {
		if !a.wellFormed() || i > 0 && compareApprovals(j.Approvals[i-1], a) >= 0 {
			return fmt.Errorf("approval %d is malformed or out of order", i)
		}
	}
	return nil
}
