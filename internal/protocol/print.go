package protocol

import (
	"fmt"
	"strings"
)

// How events and effects print: one line each, ids whole, bodies as their size.
// Nothing of nonces, shares or keys is printed, and every type that could hold
// some has a method here, so that no verb of fmt looks into it.

func (f *fault) String() string {
	switch {
	case f == nil:
		return "ok"
	case f.culprit >= 0:
		return fmt.Sprintf("%s by node %d: %s", f.code, f.culprit, f.reason)
	}
	return fmt.Sprintf("%s: %s", f.code, f.reason)
}

var timerNames = map[TimerKind]string{
	timerStandby: "standby", timerLoad: "load", timerLate: "late", timerOver: "over",
	timerBatch: "batch", timerRetry: "retry", timerRegister: "register", timerRest: "rest",
}

func (k TimerKind) String() string { return timerNames[k] }

func (e RoundsMessage) String() string  { return logLine("RoundsMessage", e.LogMessage) }
func (e RoundsAgain) String() string    { return logLine("RoundsAgain", e.LogMessage) }
func (e KeysMessage) String() string    { return logLine("KeysMessage", e.LogMessage) }
func (e KeysAgain) String() string      { return logLine("KeysAgain", e.LogMessage) }
func (e SignMessage) String() string    { return logLine("SignMessage", e.LogMessage) }
func (e TaskMessage) String() string    { return logLine("TaskMessage", e.LogMessage) }
func (e Tick) String() string           { return "Tick " + e.Now.UTC().Format("15:04:05.000") }
func (AccessChanged) String() string    { return "AccessChanged" }
func (e ControlMessage) String() string { return logLine("ControlMessage", e.LogMessage) }
func (FreezesChanged) String() string   { return "FreezesChanged" }
func (e Timer) String() string          { return fmt.Sprintf("Timer %s %s", e.Kind, e.ID) }
func (e ClockMeasured) String() string {
	return "ClockMeasured " + e.Stream.UTC().Format("15:04:05.000")
}
func (e overdue) String() string         { return "computation overdue " + e.s.id }
func (e PresenceMessage) String() string { return logLine("PresenceMessage", e.LogMessage) }

func (e Recertify) String() string { return "Recertify " + refLine(e.Batch) }
func (e Loaded) String() string {
	found := 0
	for _, k := range e.Keys {
		if k.Key != nil {
			found++
		}
	}
	return fmt.Sprintf("Loaded %s: %d of %d keys", e.ID, found, len(e.Keys))
}

func (e CertifyFailed) String() string {
	return fmt.Sprintf("CertifyFailed %s: %s: %v", refLine(e.Batch), e.Code, e.Err)
}
func (e Sealed) String() string   { return fmt.Sprintf("Sealed %s, %d bytes", e.Slot, len(e.Data)) }
func (e SlotLost) String() string { return fmt.Sprintf("SlotLost %s", e.Slot) }
func (RoundsLost) String() string { return "RoundsLost" }
func (SignLost) String() string   { return "SignLost" }
func (Stop) String() string       { return "Stop" }
func (e StandbyDelayChanged) String() string {
	return fmt.Sprintf("StandbyDelayChanged to %s", e.Delay)
}

func (e taskOpened) String() string {
	return fmt.Sprintf("task opened %s: %s", e.message.Subject, outcome(e.err))
}
func (e dealMade) String() string { return fmt.Sprintf("deal made %s: %s", e.b.id, outcome(e.err)) }
func (e dealsVerified) String() string {
	return fmt.Sprintf("deals verified %s: %s", e.b.id, e.fault)
}
func (e batchRebuilt) String() string { return fmt.Sprintf("shares rebuilt %s: %s", e.b.id, e.fault) }

func (e itemsChecked) String() string {
	if e.refusal != nil {
		return fmt.Sprintf("items checked %s: %s: %s", e.s.id, e.refusal.Code, e.refusal.Reason)
	}
	return fmt.Sprintf("items checked %s: ok", e.s.id)
}

func (e commitChecked) String() string {
	return fmt.Sprintf("commitment checked %s: %s", e.s.id, outcome(e.err))
}

func (e noncesMade) String() string {
	return fmt.Sprintf("nonces drawn %s: %s", e.s.id, outcome(e.err))
}
func (e sharesMade) String() string { return fmt.Sprintf("shares made %s: %s", e.s.id, outcome(e.err)) }

func (e Compute) String() string {
	var marks string
	if e.Urgent {
		marks += ", urgent"
	}
	if e.Rebuild {
		marks += ", one of few at a time"
	}
	return "Compute " + e.Name + marks
}

func (e After) String() string { return fmt.Sprintf("After %s: %s", e.Delay, e.Timer) }
func (e Refetch) String() string {
	if e.Heads {
		return "Refetch the head of " + e.ID
	}
	if e.Register {
		return "Refetch the entry " + e.ID
	}
	if e.Reshare {
		return "Refetch the resharing " + e.ID
	}
	if e.Manifest {
		return "Refetch the manifest " + e.ID
	}
	return "Refetch " + e.ID
}

func (e Publish) String() string {
	if e.Leaf != nil {
		return fmt.Sprintf("Publish %s once the HSM has signed", e.Slot)
	}
	return fmt.Sprintf("Publish %s, %d bytes", e.Slot, len(e.Body))
}

func (e Certify) String() string {
	return fmt.Sprintf("Certify %s: store %d keys, then %s", refLine(e.Record.Ref()), e.Record.Header.K, e.Publish)
}

func (e Complete) String() string { return "Complete " + refLine(e.Batch) }
func (e StoreRecovered) String() string {
	return fmt.Sprintf("StoreRecovered %s: %d keys", refLine(e.Record.Ref()), e.Record.Header.K)
}
func (e SaveLedger) String() string    { return fmt.Sprintf("SaveLedger %d", e.Seq) }
func (e LedgerSaved) String() string   { return fmt.Sprintf("LedgerSaved %d", e.Seq) }
func (e PolicyChanged) String() string { return fmt.Sprintf("PolicyChanged to %x", e.Policy.Hash()) }
func (e tallied) String() string {
	if e.refusal != nil {
		return fmt.Sprintf("tallied %x: %v", e.request.digest, e.refusal)
	}
	return fmt.Sprintf("tallied %x: ok", e.request.digest)
}
func (e RefuseBatch) String() string { return "RefuseBatch " + e.ID }
func (e Load) String() string {
	if e.Public {
		return fmt.Sprintf("Load %s: the public parts of %d keys", e.ID, len(e.Keys))
	}
	return fmt.Sprintf("Load %s: %d keys", e.ID, len(e.Keys))
}

func (e Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Report %s %s", e.What, e.ID)
	if e.Count > 0 {
		fmt.Fprintf(&b, ", %d of %s", e.Count, e.Suite)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, ", %s", e.Code)
	}
	if e.Culprit >= 0 {
		fmt.Fprintf(&b, " by node %d", e.Culprit)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, ": %s", e.Reason)
	}
	return b.String()
}

func (e redealMade) String() string {
	return fmt.Sprintf("shares dealt %s: %s", e.d.id, outcome(e.err))
}
func (e resharedVerified) String() string {
	return fmt.Sprintf("reshared deals verified %s: %s", e.b.id, e.fault)
}
func (e reshareRebuilt) String() string {
	return fmt.Sprintf("shares rebuilt %s: %s", refLine(e.b.ref), e.fault)
}
