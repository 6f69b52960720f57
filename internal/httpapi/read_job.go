package httpapi

import (
	"errors"
	"strings"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// read is what a client's job means, with the keys that this gateway's directory has.
func (s *Server) read(client string, job *wire.Job) Reading {
	r, err := reading.Of(s.cfg.Manifest.Network, job, func(id string) (derive.Key, error) {
		k, err := s.cfg.Directory.Key(client, id)
		switch {
		case errors.Is(err, directory.ErrNotFound):
			return derive.Key{}, errUnknownHere
		case err != nil:
			return derive.Key{}, err
		}
		return treeOf(&k)
	})
	if err != nil {
		return Reading{Error: err.Error()}
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		return Reading{Error: err.Error()}
	}
	meaning := r.JSON()
	return Reading{Text: text.String(), Meaning: &meaning}
}

var errUnknownHere = errors.New("this gateway's directory does not have it as this client's: what the job means " +
	"can't be told here")

// treeOf is a key as the root of its children.
func treeOf(k *directory.Key) (derive.Key, error) {
	suite, ok := wire.ChainSuite(k.Chain)
	if !ok || len(k.ChainCode) != 32 {
		return derive.Key{}, errors.New("it is of a chain that this program does not know")
	}
	return derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}, nil
}
