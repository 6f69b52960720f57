// Command show prints the floors of the module's packages, or of the files of
// one package. scripts/rooms runs it.
package main

import (
	"fmt"
	"os"

	"github.com/frostfleet/frostfleet/docs/floors"
)

func main() {
	if err := show(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
}

func show(args []string) error {
	if len(args) == 0 {
		house, err := floors.Module(".")
		if err != nil {
			return err
		}
		return house.Print(os.Stdout)
	}
	for _, folder := range args {
		rooms, err := floors.Rooms(".", folder)
		if err != nil {
			return err
		}
		fmt.Println(folder)
		if err := rooms.Plan().Print(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}
