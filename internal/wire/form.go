package wire

// Form numbers how the rounds of an attempt are encoded and hashed, where programs of this
// release and of the one before differ. A gateway names in a task the highest form that all who
// may read the attempt's messages say in their heartbeats that they know (0 of those it has not
// heard), so that a fleet is upgraded, or goes back, one program at a time.
//
// From form 1 on the public nonces of ed25519 are divided by 8 on the wire, as the points of
// deals are: what is decoded is in the prime-order group, without a check that costs more than
// the nonce. Deals say their form themselves: a batch's id follows from its job alone, and two
// gateways may tell two forms for one attempt.
const Form = 1
