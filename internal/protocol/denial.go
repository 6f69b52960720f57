package protocol

import (
	"fmt"
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What nodes deny by their policies, and what approvals change about that. A denial is no
// fault: it costs the node no rank.

// verdict is why a job ends that more nodes refuse for good than can be done without (spare);
// last is the one that was heard last. It is denied if some policy is part of that.
func (s *trouble) verdict(spare, last int) *wire.JobError {
	of := func(code wire.Code) (nodes []int) {
		for _, node := range slices.Sorted(maps.Keys(s.denied)) {
			if s.denied[node].Code == code {
				nodes = append(nodes, node)
			}
		}
		return nodes
	}
	denies, wants := of(wire.CodePolicyDenied), of(wire.CodeApprovalRequired)
	switch {
	case len(wants) > 0 && len(s.denied)-len(wants) <= spare: // with approvals it would pass
		return s.denial(wire.CodeApprovalRequired, wants)
	case len(denies) > 0:
		return s.denial(wire.CodePolicyDenied, denies)
	}
	code := s.denied[last].Code
	if !slices.Contains(wire.JobCodes, code) || code.Denial() {
		code = wire.CodeSigningFailed // a node's own invention
	}
	return wire.Refuse(code, "node %d refused: %s", last, s.denied[last].Reason)
}

// denial names the first of the nodes that deny, and its rule.
func (s *trouble) denial(code wire.Code, nodes []int) *wire.JobError {
	more := ""
	if len(nodes) > 1 {
		more = fmt.Sprintf(" (as did %d nodes in all)", len(nodes))
	}
	return wire.Refuse(code, "node %d denied: %s%s", nodes[0], s.denied[nodes[0]].Reason, more)
}

// approve adds the approvals that came with another delivery of a job, and reports whether
// there are others now. Where there is no room for all, the newer delivery's have it.
func (j *activeJob) approve(more []wire.Approval) bool {
	all := wire.MergeApprovals(j.approvals, more)
	if len(all) == len(j.approvals) {
		return false
	}
	if len(all) > wire.MaxTaskApprovals {
		all = wire.MergeApprovals(more, wire.NewestApprovals(j.approvals, wire.MaxTaskApprovals-len(more)))
	}
	j.approvals = all
	j.renewed++
	return true
}

// approved is the job with all approvals that it has by now.
func (j *activeJob) approved() wire.SignedJob {
	signed := j.Signed
	signed.Approvals = j.approvals
	return signed
}
