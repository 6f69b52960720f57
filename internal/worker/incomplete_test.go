package worker

import (
	"context"
	"reflect"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestIncompleteKeyIsNotLoaded: the keystore has a share before the key is certified
// by all, and nothing may be signed with it until then.
func TestIncompleteKeyIsNotLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, _ := w.startNode()
	w.blockCertificates(func(context.Context) error { return errDevice })
	w.publish(machinetest.Keygen())
	w.stored(node)
	pending, err := node.store.Pending()
	if err != nil {
		t.Fatal(err)
	}
	id := wire.KeyID{Batch: pending[0].Batch}
	if got, err := node.store.Key(id.Batch, id.Index); err != nil || got.Complete {
		t.Fatalf("the keystore gives %+v, %v; want a key that is not complete", got, err)
	}
	for _, public := range []bool{false, true} {
		if got := node.loadKey(id, public); got.Key != nil || got.Owner != "" {
			t.Error("a key that is not certified by all is loaded")
		}
	}
	w.Provider.SetFault(nil)
	w.result()
	eventually(t, "the certified key is loaded", func() bool { return node.loadKey(id, false).Key != nil })
	all, public := node.loadKey(id, false), node.loadKey(id, true)
	if all.Public || len(all.Key.Share.Expose()) == 0 {
		t.Error("a key that is to sign comes without its share")
	}
	want := protocol.LoadedKey{Owner: all.Owner, MadeBy: all.MadeBy, Public: true}
	want.Key = &frost.Key{Suite: all.Key.Suite, PublicKey: all.Key.PublicKey}
	if !reflect.DeepEqual(public, want) {
		t.Errorf("the public part is %+v, want %+v", public, want)
	}
}
