package demo

// Scenes is the story, in order.
func Scenes() []Scene {
	return []Scene{
		spread(),
		migration(),
		kinds(),
		fedhpa(),
		estimate(),
	}
}
