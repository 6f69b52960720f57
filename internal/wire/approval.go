package wire

import (
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Approvals go beside a job: signatures over its digest, by keys that the policies of nodes
// name. Nothing but these policies says whose they are.

// HeaderApproval is the header of an approval, of which a job may have several: the
// approver's name, the time in Unix seconds and the signature in hexadecimal, with a space
// between.
const HeaderApproval = "Frost-Approval"

// Bounds on approvals. Each kind has its own, so that a client's junk takes no approver's
// place.
const (
	MaxApprovals = 16 // that a client publishes with a job
	maxGiven     = 16 // that approvers leave beside a job that waits
	// MaxTaskApprovals is how many a task may have.
	MaxTaskApprovals = MaxApprovals + maxGiven
)

// Approval is somebody's signature over ApprovalSigningInput.
type Approval struct {
	Name      string `cbor:"1,keyasint"`
	Signature []byte `cbor:"2,keyasint"`
	Time      int64  `cbor:"3,keyasint"` // when it was made, Unix seconds; signed
}

// maxApprovalTime is the end of the year 9999, in Unix seconds.
const maxApprovalTime = 253402300799

// ApprovalSigningInput is what an approver's Ed25519 key signs: a tag, the fleet, the
// network, the manifest's hash, the job's digest and the time in Unix seconds, as lines. The
// digest has client, kind and payload in it.
func ApprovalSigningInput(m *Manifest, digest [32]byte, unix int64) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n%x\n%x\n%d\n", "frostfleet/approval/v1", m.Fleet, m.Network, m.FleetID(), digest,
		unix)
}

// Approve signs a job's digest for an approver, at a time.
func Approve(key ed25519.PrivateKey, name string, m *Manifest, digest [32]byte, at time.Time) Approval {
	a := Approval{Name: name, Time: at.Unix()}
	a.Signature = ed25519.Sign(key, ApprovalSigningInput(m, digest, a.Time))
	return a
}

// Verify reports whether an approval is this key's, over this job.
func (a Approval) Verify(key ed25519.PublicKey, m *Manifest, digest [32]byte) bool {
	v, err := newVerifier(key)
	return err == nil && a.wellFormed() && v.verify(ApprovalSigningInput(m, digest, a.Time), a.Signature)
}

// At is when the approval was made, as its approver says.
func (a Approval) At() time.Time { return time.Unix(a.Time, 0) }

// Header is the value of the approval's header.
func (a Approval) Header() string {
	return a.Name + " " + strconv.FormatInt(a.Time, 10) + " " + hex.EncodeToString(a.Signature)
}

// ParseApproval reads the value of an approval's header, which has one form.
func ParseApproval(value string) (Approval, error) {
	if parts := strings.SplitN(strings.Trim(value, " \t"), " ", 3); len(parts) == 3 {
		unix, errTime := strconv.ParseInt(parts[1], 10, 64)
		raw, err := hex.DecodeString(parts[2])
		a := Approval{Name: parts[0], Time: unix, Signature: raw}
		if err == nil && errTime == nil && strconv.FormatInt(unix, 10) == parts[1] && a.wellFormed() {
			return a, nil
		}
	}
	return Approval{}, fmt.Errorf("%.120q is not an approver's name, the Unix seconds of a time, and the %d hexadecimal "+
		"digits of a signature, with a space between", value, 2*ed25519.SignatureSize)
}

func (a Approval) wellFormed() bool {
	return IsToken(a.Name) && len(a.Signature) == ed25519.SignatureSize && a.Time >= 0 && a.Time <= maxApprovalTime
}

// readApprovals reads the approvals among a job's headers, in one order whatever theirs was.
func readApprovals(headers map[string][]string, header string, most int) ([]Approval, error) {
	var list []Approval
	for k, values := range headers {
		if len(k) != len(header) || !strings.EqualFold(k, header) {
			continue
		}
		for _, v := range values {
			a, err := ParseApproval(v)
			if err != nil {
				return nil, fmt.Errorf("the header %s: %w", header, err)
			}
			list = append(list, a)
		}
	}
	list = MergeApprovals(list, nil)
	if len(list) > most {
		return nil, fmt.Errorf("the header %s is there %d times: at most %d", header, len(list), most)
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
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Time, b.Time), slices.Compare(a.Signature, b.Signature))
}

// checkApprovals holds those of a task against the bounds that ReadJob keeps.
func (j SignedJob) checkApprovals() error {
	if len(j.Approvals) > MaxTaskApprovals {
		return fmt.Errorf("%d approvals: a task has at most %d", len(j.Approvals), MaxTaskApprovals)
	}
	for i, a := range j.Approvals {
		if !a.wellFormed() || i > 0 && compareApprovals(j.Approvals[i-1], a) >= 0 {
			return fmt.Errorf("approval %d is malformed or out of order", i)
		}
	}
	return nil
}
