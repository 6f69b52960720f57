package policy

import (
	"fmt"
	"slices"
	"strings"
)

// approve says whether people have to agree, and whether they did.
func (j *judge) approve() {
	j.d.Verdict = Allowed
	why := j.whyApprove()
	if why == "" {
		return
	}
	given := set{}
	for _, name := range j.ask.Approved {
		if slices.Contains(j.approvals.from, name) {
			given[name] = true
		}
	}
	j.d.Missing = max(0, j.approvals.require-len(given))
	if j.d.Missing == 0 {
		return
	}
	for _, name := range j.approvals.from {
		if !given[name] {
			j.d.From = append(j.d.From, name)
		}
	}
	j.d.Verdict, j.d.Code = NeedsApproval, CodeApprovals
	j.d.Reason = fmt.Sprintf("%s: %d of %d approvals are there, %d more of %s", why, len(given), j.approvals.require,
		j.d.Missing, strings.Join(j.d.From, ", "))
}

func (j *judge) whyApprove() string {
	a := j.approvals
	switch {
	case a == nil:
		return ""
	case a.always:
		return "the rule always asks for approvals"
	case len(j.outside) > 0:
		return "pays " + j.outside[0] + ", which the rule's destinations don't list"
	}
	for _, amount := range j.out {
		if most, ok := a.above[amount.Asset]; ok && amount.Units > most {
			return fmt.Sprintf("%s would leave, more than %s", Amount(amount.Asset, amount.Units), Amount(amount.Asset, most))
		}
	}
	return ""
}
