package sim

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is one kind of trouble.
type Fault string

// The faults. Each must occur in a run of 300 seeds.
const (
	PublishLost    Fault = "publish lost"
	AckLost        Fault = "acknowledgement lost"
	Duplicate      Fault = "duplicate delivery"
	LongDelay      Fault = "long delay"
	SlowCompute    Fault = "computation late"
	LateTimer      Fault = "timer late"
	Squat          Fault = "slot squatted with junk"
	ExpiredKey     Fault = "expired session key"
	JobRedelivered Fault = "job delivered again"
	HSMFailure     Fault = "HSM fails"
	NodeCrash      Fault = "node crash"
	CertifyCrash   Fault = "crash between store and certificate"
	NodeWiped      Fault = "node storage wiped"
	GatewayCrash   Fault = "gateway crash"
	FinishCrash    Fault = "gateway crash between result and acknowledgement"
	EntryCrash     Fault = "gateway crash between certificates and entry, or within it"
	WorkLost       Fault = "WORK lost"
	SignLost       Fault = "SIGN lost"
	Twin           Fault = "two processes with one index"
	EntriesLost    Fault = "entries lost from KEYS"

	NodeUnheard     Fault = "a node without heartbeats"
	HeartbeatLost   Fault = "heartbeat lost"
	HeartbeatCopied Fault = "heartbeat copied"
	ClockFar        Fault = "a node's clock is half a minute off"

	ClientForges    Fault = "client: bad signature"
	ClientReuses    Fault = "client: id reused"
	ClientForeign   Fault = "client: foreign key"
	ClientMalformed Fault = "client: malformed job"
	ClientRepeats   Fault = "client: job published twice"

	LiarDeal        Fault = "liar: deal"
	LiarCert        Fault = "liar: certificate"
	LiarCommit      Fault = "liar: commitment"
	LiarShare       Fault = "liar: share"
	LiarComplains   Fault = "liar: false complaint"
	LiarReplays     Fault = "liar: replays another session"
	LiarEquivocates Fault = "liar: equivocates"
	LiarSilent      Fault = "liar: silent"
	LiarDates       Fault = "liar: session key dated ahead or back"
	LiarFloods      Fault = "liar: floods ids"
	LiarSplits      Fault = "liar: two polynomials with one constant term"
	LiarWithholds   Fault = "liar: commits and sends no share"
	LiarClaims      Fault = "liar: claims to hold what it can't prove"
	LiarStalls      Fault = "liar: answers just before the deadline"

	AdminFreezes    Fault = "administrator: freezes"
	AdminsLift      Fault = "administrators: a quorum lifts"
	AdminAlone      Fault = "administrators: votes without a quorum"
	AdminFloods     Fault = "administrator: floods"
	ControlReplayed Fault = "administrator: copied"
	ControlForged   Fault = "administrator: forged"
	ControlLost     Fault = "CONTROL lost"

	MoverConstant     Fault = "old node: deals another secret"
	MoverShare        Fault = "old node: a wrong share for one"
	MoverMalformed    Fault = "old node: a malformed deal"
	MoverTwice        Fault = "old node: deals twice"
	MoverWithholds    Fault = "old node: deals nothing"
	MoverSlice        Fault = "old node: deals a slice in another one's place"
	NewRefuses        Fault = "new node: does not certify"
	NewComplains      Fault = "new node: false complaint"
	NewCertifies      Fault = "new node: certifies something else"
	GatewayMoves      Fault = "gateway: false resharing task"
	GatewayMovesAgain Fault = "gateway: replays a resharing task"
	SuccessionForged  Fault = "succession forged"
	ApprovalTaken     Fault = "operator: takes an approval back"
	KeysReplaced      Fault = "all nodes of a manifest certify other keys"
	ForcedFork        Fault = "operators: forced to approve two manifests"
	Paused            Fault = "administrator: resharing paused"
	Sliced            Fault = "keys moved in slices"

	GatewayDeaf  Fault = "gateway: does not hear administrators"
	GatewayOlder Fault = "gateway: an older batch for a new job"

	BrokerDrops     Fault = "broker: drops"
	BrokerReorders  Fault = "broker: reorders"
	BrokerReplays   Fault = "broker: replays old messages"
	BrokerReplaces  Fault = "broker: replaces a message"
	BrokerJunk      Fault = "broker: junk"
	BrokerClock     Fault = "broker: false time"
	BrokerBackdates Fault = "broker: dates a message into the life of its session key"
	BrokerFalseAck  Fault = "broker: acknowledges and drops"
	BrokerFalseSlot Fault = "broker: shows something else in a slot"
)

// rates is the chance of each fault at each occasion.
type rates map[Fault]float64

var (
	busFaults = rates{
		PublishLost: 0.03, AckLost: 0.03, Duplicate: 0.04, LongDelay: 0.02, SlowCompute: 0.05,
		LateTimer: 0.05, Squat: 0.03, ExpiredKey: 0.015, JobRedelivered: 0.3,
	}
	crashFaults = rates{
		NodeCrash: 0.006, CertifyCrash: 0.05, NodeWiped: 0.25, GatewayCrash: 0.02, FinishCrash: 0.1,
		EntryCrash: 0.03,
	}
	lossFaults     = rates{WorkLost: 0.03, SignLost: 0.03}
	cutFaults      = rates{EntriesLost: 0.6}
	claimFaults    = rates{LiarClaims: 0.9}
	siteFaults     = rates{Twin: 0.1, HSMFailure: 0.03}
	presenceFaults = rates{NodeUnheard: 0.3, HeartbeatLost: 0.2, HeartbeatCopied: 0.1, ClockFar: 0.4}
	clientFaults   = rates{
		ClientForges: 0.3, ClientReuses: 0.3, ClientForeign: 0.3, ClientMalformed: 0.3, ClientRepeats: 0.3,
	}
	liarFaults = rates{
		LiarDeal: 0.2, LiarCert: 0.2, LiarCommit: 0.3, LiarShare: 0.3, LiarComplains: 0.05,
		LiarReplays: 0.15, LiarEquivocates: 0.2, LiarSilent: 0.1, LiarDates: 0.1, LiarFloods: 0.05,
		LiarWithholds: 0.45, LiarStalls: 0.45,
	}
	moveFaults = rates{ // of fleets that change, in every profile
		MoverConstant: 0.4, MoverShare: 0.4, MoverMalformed: 0.4, MoverTwice: 0.4, MoverWithholds: 0.4, NewRefuses: 0.3,
		NewComplains: 0.3, NewCertifies: 0.2, GatewayMoves: 0.3, GatewayMovesAgain: 0.2, SuccessionForged: 0.15, ApprovalTaken: 0.2,
		ForcedFork: 0, Paused: 0, KeysReplaced: 0,
	}
	sliceFaults   = rates{MoverSlice: 0.9, Sliced: 0} // of these, where batches move in slices
	gatewayFaults = rates{GatewayOlder: 0.9}
	freezeFaults  = rates{
		AdminFreezes: 0.15, AdminsLift: 0.3, AdminAlone: 0.1, AdminFloods: 0.01, ControlReplayed: 0.1, ControlForged: 0.1,
		ControlLost: 0.04, GatewayDeaf: 0.6,
	}
	splitFaults  = rates{LiarSplits: 0.9}
	slowFaults   = rates{LiarWithholds: 0.9, LiarStalls: 0.9}
	brokerFaults = rates{
		BrokerDrops: 0.04, BrokerReorders: 0.08, BrokerReplays: 0.08, BrokerReplaces: 0.04, BrokerJunk: 0.04,
		BrokerClock: 0.02, BrokerBackdates: 0.05, BrokerFalseAck: 0.04, BrokerFalseSlot: 0.04,
	}
)

// Faults lists every kind.
func Faults() (all []Fault) {
	for _, r := range []rates{busFaults, crashFaults, lossFaults, siteFaults, presenceFaults, clientFaults, liarFaults, brokerFaults,
		gatewayFaults, splitFaults, slowFaults, cutFaults, claimFaults, freezeFaults, moveFaults, sliceFaults} {
		all = append(all, r.sorted()...)
	}
	return all
}

// Profile is a mix of faults.
type Profile string

// The profiles. In the first three, with a staller and with nodes unheard, every job of an honest client
// must succeed.
const (
	Benign   Profile = "benign"
	Restarts Profile = "restarts"
	Losses   Profile = "losses"
	Twins    Profile = "twins"
	Liar     Profile = "liar"
	Broker   Profile = "broker"
	Chaos    Profile = "chaos"
	Staller  Profile = "staller" // a node that never fails and holds up what it can
	Unheard  Profile = "unheard" // nodes that nobody hears, and clocks far off
	Freezes  Profile = "freezes" // administrators who freeze and unfreeze
	Split    Profile = "split"   // a dealer and a broker who show nodes different deals
)

var profiles = []struct {
	name   Profile
	weight int
	mixes  []rates
}{
	{Benign, 3, []rates{busFaults, clientFaults}},
	{Restarts, 5, []rates{busFaults, crashFaults, clientFaults, cutFaults}},
	{Losses, 3, []rates{busFaults, crashFaults, lossFaults, cutFaults}},
	{Twins, 3, []rates{busFaults, crashFaults, lossFaults, siteFaults}},
	{Liar, 4, []rates{busFaults, crashFaults, liarFaults, gatewayFaults, cutFaults, claimFaults}},
	{Broker, 4, []rates{busFaults, crashFaults, siteFaults, brokerFaults}},
	{Chaos, 2, []rates{busFaults, crashFaults, lossFaults, siteFaults, clientFaults, liarFaults, brokerFaults, gatewayFaults}},
	{Staller, 2, []rates{busFaults, slowFaults, gatewayFaults}},
	{Unheard, 3, []rates{busFaults, crashFaults, presenceFaults}},
	{Freezes, 4, []rates{busFaults, crashFaults, lossFaults, freezeFaults}},
	{Split, 2, []rates{busFaults, splitFaults, gatewayFaults}},
}

// plan is the trouble of one run.
type plan struct {
	profile Profile
	rate    rates
	until   time.Duration // then the world is kind again
	liar    int           // node, or -1
	lies    bool          // the broker lies
}

// faultTime is how long faults occur.
const faultTime = 25 * time.Second

// draw chooses a profile, and of each of its faults whether it occurs in this
// run and how often: runs with few kinds of trouble go deeper than those that
// have it all.
func draw(rng *rand.Rand, force Profile, t, n int) plan {
	total := 0
	for _, p := range profiles {
		total += p.weight
	}
	pick := rng.IntN(total)
	for _, p := range profiles {
		if force == p.name || force == "" && pick < p.weight {
			return p.name.plan(rng, p.mixes, t, n)
		}
		pick -= p.weight
	}
	panic("sim: no profile " + string(force))
}

func (name Profile) plan(rng *rand.Rand, mixes []rates, t, n int) plan {
	p := plan{profile: name, rate: rates{}, until: faultTime, liar: -1, lies: name == Broker || name == Chaos || name == Split}
	for _, mix := range mixes {
		for _, f := range mix.sorted() {
			if rng.Float64() < 0.7 {
				p.rate[f] = min(0.9, mix[f]*[]float64{0.4, 1, 2}[rng.IntN(3)])
			}
		}
	}
	switch name {
	case Liar, Chaos:
		p.liar = rng.IntN(n)
	case Split:
		p.liar = rng.IntN(n)
		p.rate[BrokerReplaces] = 0.2
	case Staller:
		if n > t { // the others can do without it
			p.liar = rng.IntN(n)
		}
		if rng.IntN(2) == 0 {
			p.rate[LiarWithholds] = 1 // for ever
		}
	}
	return p
}

// benign reports whether every honest job must succeed.
func (p plan) benign() bool {
	return p.profile == Benign || p.profile == Restarts || p.profile == Losses || p.profile == Staller ||
		p.profile == Unheard
}

// sorted lists the faults of a mix by name: maps have no order of their own.
func (r rates) sorted() []Fault { return slices.Sorted(maps.Keys(r)) }
