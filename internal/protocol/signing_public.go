package protocol

// Keys of a request that only other nodes have shares of.

// addPublic puts the public parts of keys that this node has no shares of in their places, for
// a request, and has heads read for that. coming reports whether some are still to come. Of a
// request with no key of the client's that is here it signs nothing, and has nothing read.
func (n *signer) addPublic(r *signRequest, keys []LoadedKey) (effects []Effect, coming bool) {
	if len(r.job.Items) > 0 || len(keys) != len(r.keys) || !holdsAny(keys, r.client) {
		return nil, false
	}
	for i, id := range r.keys {
		if keys[i].Key != nil || n.refused[id.Batch] {
			continue
		}
		if head := n.heads.of[id.Batch]; head != nil {
			keys[i] = LoadedKey{Key: head.key(id.Index), Owner: head.owner, MadeBy: head.madeBy, Public: true}
			continue
		}
		coming = true
		if n.heads.ask(id.Batch, r.client, n.now) {
			effects = append(effects, Refetch{ID: id.Batch, Register: true, Heads: true})
		}
	}
	return effects, coming
}

func holdsAny(keys []LoadedKey, client string) bool {
	for _, k := range keys {
		if k.Key != nil && k.Owner == client {
			return true
		}
	}
	return false
}
