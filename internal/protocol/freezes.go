package protocol

import (
	"fmt"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// freezes is what is frozen now.
type freezes struct {
	book *wire.FreezeBook
	view *atomic.Pointer[wire.Frozen] // programs read it beside Step
}

func newFreezes(m *wire.Manifest, kept *wire.FreezeBook) freezes {
	if kept == nil {
		kept = wire.NewFreezeBook(m)
	}
	f := freezes{book: kept, view: &atomic.Pointer[wire.Frozen]{}}
	f.view.Store(kept.Frozen())
	return f
}

func (f *freezes) frozen() *wire.Frozen { return f.view.Load() }

// add takes a message, and returns reports of what changed, or of what is wrong with it.
func (f *freezes) add(access *wire.Access, msg wire.LogMessage) (news wire.FreezeNews, reports []Effect) {
	news, err := f.book.Add(access, msg.Subject, msg.Data)
	if err != nil {
		return news, []Effect{Report{What: ReportBadControl, ID: msg.Subject, Reason: err.Error(), Culprit: -1}}
	}
	return news, f.took(news)
}

// recount takes a new access list. What CONTROL has is read once more where others are
// administrators now: what they said may count.
func (f *freezes) recount(access, before *wire.Access) (news wire.FreezeNews, effects []Effect) {
	if access.SameAdministrators(before) {
		return news, nil
	}
	news = f.book.Recount(access)
	return news, append(f.took(news), Refetch{Control: true})
}

func (f *freezes) took(news wire.FreezeNews) (reports []Effect) {
	if news.None() {
		return nil
	}
	f.view.Store(f.book.Frozen())
	for _, one := range news.Frozen {
		reason := fmt.Sprintf("%s, by administrator %s: %s", one.Target(), one.By, one.Reason)
		reports = append(reports, freezeReport(ReportFrozen, one, reason))
	}
	for _, one := range news.Lifted {
		reports = append(reports, freezeReport(ReportUnfrozen, one, one.Target()))
	}
	return reports
}

func freezeReport(what ReportKind, f *wire.Freeze, reason string) Report {
	return Report{What: what, ID: wire.ShortFreezeID(f.ID), Code: wire.CodeFrozen, Reason: reason, Culprit: -1}
}

// sessionWork is what a message of a session is for.
type sessionWork struct {
	client string
	keys   []wire.KeyID
}
