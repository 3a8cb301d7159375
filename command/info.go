package command

// Info is one row of a server's COMMAND reply, as sent.
type Info struct {
	Name                    string // "get"; "xinfo|stream" in Subs
	Arity                   int
	Flags                   []string
	FirstKey, LastKey, Step int
	Categories              []string
	Tips                    []string
	KeySpecs                []KeySpec
	Subs                    []Info

	// Legacy: the server is older than 7, whose rows end before Tips.
	Legacy bool
}
