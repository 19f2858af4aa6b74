package demo

// Scenes is the story, in order.
func Scenes() []Scene {
	return []Scene{
		spread(),
		timetable(),
		scaleIn(),
		migration(),
		releases(),
		rescheduling(),
		kinds(),
		delivery(),
		component(),
		fedhpa(),
		estimate(),
	}
}
