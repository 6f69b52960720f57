package client

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/bitcoin"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
)

// readRequest stands in for tx.Read until that is there.
func readRequest(r tx.Request, network string, branches *derive.Cache) (tx.Reading, *intent.Refusal) {
	switch r.Kind {
	case intent.PSBT:
		p, refusal := bitcoin.ReadPSBT(r.Bytes, r.Roots, r.Partial, network, branches)
		return psbtReading{p}, refusal
	case intent.BitcoinMessage:
		p, refusal := bitcoin.ReadMessage(string(r.Bytes), r.Roots[0], branches)
		return messageReading{p}, refusal
	case intent.SolanaMessage:
		p, refusal := solana.ReadMessage(string(r.Bytes), r.Roots[0], branches)
		return p, refusal
	}
	p, refusal := solana.ReadTransaction(r.Bytes, r.Roots, branches)
	return p, refusal
}

type psbtReading struct{ *bitcoin.PSBT }

func (p psbtReading) Finish(s [][]byte, finalize bool) (f tx.Finished, err error) {
	f.PSBT, f.Transaction, err = p.PSBT.Finish(s, finalize)
	return f, err
}

type messageReading struct{ *bitcoin.Message }

func (p messageReading) Finish(s [][]byte, _ bool) (f tx.Finished, err error) {
	f.Signature, err = p.Message.Finish(s)
	return f, err
}
